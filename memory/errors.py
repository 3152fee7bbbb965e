"""Every deliberate exception, as a tree.

JuniorError
├── UserError               the operator can mend it; printed without a traceback   exit 1
│   ├── ConfigError         config.toml or identity.toml: all problems at once     exit 2
│   ├── UsageError          a command used wrongly                                 exit 2
│   ├── BusyError           locked, paused or GPU busy: try again later            exit 75
│   ├── BaseMissingError    the base model is not in the cache
│   ├── ModelFileError      a model file is missing, damaged or of another kind
│   ├── DatabaseError       memory.db cannot be used as it is
│   └── PublishError        the model server refused, or did not answer
└── StageError              a stage of a night ended badly; recorded, not raised to people
"""

from collections.abc import Sequence


class JuniorError(Exception):
    """Base of all deliberate exceptions."""


class UserError(JuniorError):
    """Something the operator can mend: the message says where, what was found, what to do."""

    exit_code = 1


class ConfigError(UserError):
    """Problems in a configuration file, all of them at once."""

    exit_code = 2

    def __init__(self, path: object, problems: Sequence[str]) -> None:
        """`path` is the file, `problems` one plain sentence each."""
        self.path, self.problems = path, list(problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"{path}: {len(self.problems)} problem(s)\n{lines}")


class UsageError(UserError):
    """A command used wrongly."""

    exit_code = 2


class BusyError(UserError):
    """Somebody else holds what is needed: try again later (exit 75, EX_TEMPFAIL)."""

    exit_code = 75


class BaseMissingError(UserError):
    """The base model is not in the cache; the message names `junior base fetch`."""


class ModelFileError(UserError):
    """A model file is missing, damaged, or of a kind that cannot be used."""


class DatabaseError(UserError):
    """memory.db cannot be used as it is."""


class PublishError(UserError):
    """The model server refused, or broke off."""


class NoServerError(PublishError):
    """No model server answers at all."""


class NotReleasedError(PublishError):
    """There is nothing released to publish, to pin or to go back to."""

    exit_code = 3


class StageError(JuniorError):
    """A stage of a night ended badly: recorded with the night."""
