"""The doors for programs and people: the endpoint, the tools and the pages of `junior serve`."""
