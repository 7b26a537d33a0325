"""The one exception that means "the person can mend this"."""


class UserError(ValueError):
    """A mistake in what was given: the message says what, where and what to do.

    Command lines print it as one sentence and exit with status 2; library users see a ValueError.
    """


class TrainingStoppedError(UserError):
    """Training cannot go on although the command was right, say after a loss became infinite;
    status 1."""
