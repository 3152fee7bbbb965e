"""Posts become their text with their title; what the site's generator reads is taken out."""

import pytest
from fixtures import count, fixture_folder, records_of

from memory.sources.blog import strip

LONG = "It rained for the whole of the week, and the gate at the weir was left open at night. " * 2


def post(root, name, text):
    path = root / "_posts" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_post_has_title_and_date_of_its_front_matter(tmp_path):
    head = "---\nlayout: post\ntitle: 'Rain'\ndate: 2026-03-02 09:00:00 +0800\n---\n"
    post(tmp_path, "en/2026-03-01-gate.md", head + LONG)
    (message,) = records_of("blog", tmp_path)
    assert (message.subject, message.kind, message.text) == ("Rain", "essay", LONG.strip())
    assert message.sent_at.isoformat() == "2026-03-02T01:00:00+00:00"
    assert message.external_id == "_posts/en/2026-03-01-gate.md"


def test_without_front_matter_the_file_name_tells(tmp_path):
    post(tmp_path, "zh/2026-03-01-the-open-gate.md", "雨下了整整一周。" * 20)
    (message,) = records_of("blog", tmp_path)
    assert message.subject == "The Open Gate"
    assert message.sent_at.date().isoformat() == "2026-03-01"


def test_a_short_post_and_what_is_no_post_stay_out(tmp_path):
    post(tmp_path, "2026-03-01-a.md", "---\ntitle: A\n---\nShort. ![x](y.png)" + " {{ x }}" * 90)
    (tmp_path / "about.md").write_text(LONG)
    assert count(records_of("blog", tmp_path)) == {"post under 100 characters": 1}


@pytest.mark.parametrize(
    ("text", "left"),
    [("a {% include x.html %}b {{ site.url }}c", "a b c"),
     ("{% comment %}no{% endcomment %}yes", "yes"),
     ("word{: .cls #id} and\n{: .block}\nmore", "word and\n\nmore"),
     ("![a [b]](x(1).png) text <img src='x'>", "text"),
     ("[![a](b.png)](c) text", "text"),
     ("a<!-- no -->b", "ab"),
     ("{::comment}no{:/comment}yes {::options x='y' /}", "yes"),
     ("see [a][1]\n\n[1]: http://example.org", "see [a][1]"),
     ("{% highlight ruby %}\nputs 1\n{% endhighlight %}\nx", "puts 1\n\nx"),
     ("{% raw %}{{ kept }}{% endraw %}", "{{ kept }}"),
     ("`{{ kept }}` and `{: kept}`", "`{{ kept }}` and `{: kept}`"),
     ("```\n{% kept %}\n![kept](x)\n```", "```\n{% kept %}\n![kept](x)\n```")],
)  # fmt: skip
def test_marks_go_and_code_stays(text, left):
    assert strip(text) == left


@pytest.mark.parametrize("piece", ["<!--", "{% raw %}", "{::comment}", "````a", "![a", "{{", "[ "])
def test_marks_that_are_never_closed_take_no_time(piece):
    strip(piece * 20_000)


def test_the_samples_give_their_counts():
    found = count(records_of("blog", fixture_folder("jekyll/jekyll_test_source")))
    assert set(found) == {"messages", "post under 100 characters"}
    assert found["messages"] >= 9
