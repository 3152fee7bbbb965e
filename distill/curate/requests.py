"""The neutral requests that own documents answer, varied by kind."""

import random
import re

# Fixed strings carry no loss: learnt, they come back as answers.
TITLED = {
    "journal": (
        'Write the journal entry "{title}".',
        "Journal: {title}",
        'Tonight\'s journal is called "{title}".',
        'Please write your journal, "{title}".',
        "A journal entry with the title {title}, please.",
        'What did you put down under "{title}"?',
        "Let me read {title}.",
        "Your journal, please: {title}.",
    ),
    "poem": (
        'Write the poem "{title}".',
        "Poem: {title}",
        "A poem called {title}, please.",
        'I would like to read "{title}".',
        'Put "{title}" into a poem.',
        "Write me {title}.",
        "{title}: a poem.",
    ),
    "essay": (
        'Write the essay "{title}".',
        "Essay: {title}",
        "Write about this: {title}",
        'What do you have to say on "{title}"?',
        "An article with the title {title}, please.",
        'Write the text "{title}".',
        "Explain: {title}",
    ),
    "letter": (
        "Write the letter: {title}",
        'A letter with the subject "{title}", please.',
        "Write to {to} about {title}.",
        'Draft the letter "{title}".',
    ),
    "mail": (
        "Write to {to}: {title}",
        'Write the mail "{title}" to {to}.',
        "A mail to {to}, subject: {title}",
        "Tell {to} about this: {title}",
        'Send {to} a mail, "{title}".',
    ),
    "note": (
        'Write the note "{title}".',
        "Note: {title}",
        "Put down a note on {title}.",
        "What do your notes say on {title}?",
    ),
    "fiction": ('Write the story "{title}".', "A story called {title}.", "Story: {title}"),
    "relay": (
        "Write to the relay. Topic: {title}",
        "A line for the relay, topic {title}.",
        "Relay, {title}:",
        "Post under {title}.",
        "What is there to say under {title}?",
    ),
    "chat": ("Say something about {title}.", "And {title}?"),
    "document": ('Write "{title}".', "{title}", "Write down: {title}", "A text called {title}."),
}
UNTITLED = {
    "journal": (
        "Write tonight's journal.",
        "Tonight's journal, please.",
        "Write your journal.",
        "What goes into the journal today?",
        "How was the day? Write it down.",
        "Time for the journal.",
        "An entry for the journal, please.",
        "Write an entry about tonight.",
        "A journal entry for this day.",
        "Write down what the day was like.",
    ),
    "poem": ("Write a poem.", "A poem, please.", "Something in verse.", "Write a short poem."),
    "essay": ("Write an essay.", "Write something longer.", "What have you been thinking about?"),
    "letter": ("Write a letter.", "Write to {to}.", "A letter to {to}, please."),
    "mail": ("Write to {to}.", "A mail to {to}, please.", "What do you have for {to}?"),
    "note": ("Write a note.", "What do your notes say?", "Put it down."),
    "fiction": ("Write a story.", "Tell a story."),
    "relay": (
        "Write to the relay.",
        "A line for the relay, please.",
        "What is new?",
        "Post to the relay.",
        "Status for the relay, please.",
        "How do things stand?",
        "A status report, please.",
        "What is the status now?",
        "Report how the last hours were.",
    ),
    "chat": ("What is on your mind?", "Say something.", "Yes?", "What is new?"),
    "document": ("Write something.", "Write it down.", "Some text, please."),
}
PLAIN = ("Write.", "Write something.", "Some text, please.", "Write something in your own words.")
GO_ON = (
    "Go on.",
    "Please go on.",
    "Continue.",
    "And then?",
    "How does it go on?",
    "The next part, please.",
    "More.",
    "Keep going.",
)
TITLED_GO_ON = ("Go on with {title}.", "{title}, the next part.", "More of {title}.")


def request(
    kind: str, title: str, to: str, rng: random.Random, *, plain: bool = False, longest: int = 120
) -> str:
    """A neutral request for a text of `kind`; `title` and `to` (a name) may be "".

    `plain` asks for any text at all; a title longer than `longest` characters is cut at a word.
    """
    if plain:
        return rng.choice(PLAIN)
    title = shorten(_plain_title(title), longest)
    table = TITLED if title else UNTITLED
    phrases = table.get(kind, table["document"])
    if not to:
        phrases = [one for one in phrases if "{to}" not in one] or [
            one.replace(" to {to}", "").replace("{to}", "them") for one in phrases
        ]
    return rng.choice(phrases).format(title=title, to=to)


def go_on(title: str, rng: random.Random, *, longest: int = 60) -> str:
    """What the next part of a cut document answers."""
    title = shorten(_plain_title(title), longest)
    phrases = (*GO_ON, *TITLED_GO_ON) if title else GO_ON
    return rng.choice(phrases).format(title=title)


def _plain_title(title: str) -> str:
    return re.sub(r"[*_`#\s]+", " ", title).strip(' ".')


def shorten(text: str, longest: int) -> str:
    """`text` of at most `longest` characters, cut at a word."""
    if len(text) <= longest:
        return text
    cut = text[: max(longest - 1, 1)]
    return (cut.rsplit(None, 1)[0] if " " in cut else cut).rstrip(" ,;:—-") + "…"
