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
# A request without a title, drawn part by part: a small base answers every short question that it
# has not met with its name, unless the ordinary ones come in as many words as those for the name.
UNTITLED = {
    "journal": (
        "{ask} {a_journal}.",
        "{ask} {a_journal} {day}.",
        "{a_journal} {day}, please.",
        "{a_journal}, please.",
        "The day is over: {a_journal}.",
        "What goes into the journal {now}?",
        "What does your journal say {now}?",
        "How was the day? Put it into words.",
        "What was it like {now}?",
        "Time for {a_journal}.",
        "What is there to remember {day}?",
    ),
    "poem": (
        "{ask} {a_poem}.",
        "{a_poem}, please.",
        "{ask} something in verse.",
        "A few lines of verse.",
    ),
    "essay": (
        "{ask} {an_essay}.",
        "{an_essay}, please.",
        "What have you been thinking about?",
        "What do you make of it all?",
        "{ask} something longer.",
    ),
    "letter": ("{ask} a letter to {to}.", "A letter to {to}, please.", "Write to {to}."),
    "mail": (
        "Write to {to}.",
        "{ask} a mail to {to}.",
        "A mail to {to}, please.",
        "What do you have for {to}?",
    ),
    "note": ("{ask} a note.", "What do your notes say?", "{ask} a page of your notes."),
    "fiction": ("{ask} a story.", "Tell a story."),
    "relay": (
        "{ask} {a_report}.",
        "{ask} {a_report} {span}.",
        "{a_report}, please.",
        "{a_report} {span}, please.",
        "Write to the relay.",
        "A line for the relay, please.",
        "How do things stand?",
        "How are things going?",
        "What has been done {span}?",
        "What has changed {span}?",
        "What has happened {span}?",
        "Is all well with the machine?",
        "Does everything work?",
        "Where are we?",
        "What is done, and what is not?",
    ),
    "chat": ("What is on your mind?", "Say something.", "Yes?", "What is new?"),
    "document": ("{ask} something.", "Write it down.", "{ask} some text."),
}
PARTS = {
    "ask": (
        "Write",
        "Please write",
        "Give me",
        "Let me read",
        "I would like to read",
        "Let me have",
        "I need",
        "Now write",
        "Put down",
    ),
    "a_journal": (
        "the journal",
        "your journal",
        "an entry for the journal",
        "a page of the journal",
        "a few lines for the journal",
        "a passage of your journal",
        "an entry of your diary",
        "something for the diary",
    ),
    "day": ("of today", "of this day", "about the night", "of this night", "from these hours"),
    "now": ("today", "tonight", "this evening", "this time", "in these hours"),
    "a_poem": ("a poem", "a short poem", "a stanza", "a few verses", "one of your poems"),
    "an_essay": ("an essay", "a passage of an essay", "an article", "a page of an article"),
    "a_report": (
        "a report",
        "an update",
        "the news",
        "a line on how things are",
        "a summary",
        "the state of the system",
        "a status for the relay",
        "the latest",
    ),
    "span": (
        "since this morning",
        "since yesterday",
        "of the last hour",
        "of the day",
        "since we last spoke",
        "in the meantime",
    ),
}
OPENED = 0.2
OPENINGS = (
    "Good evening. ",
    "Hello again. ",
    "All right. ",
    "Now: ",
    "Another thing. ",
    "Thank you. ",
    "Hey. ",
    "When you have a minute: ",
    "So. ",
    "I am back. ",
)
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
        return opened(rng.choice(PLAIN), rng)
    title = shorten(_plain_title(title), longest)
    table = TITLED if title else UNTITLED
    phrases = table.get(kind, table["document"])
    if not to:
        phrases = [one for one in phrases if "{to}" not in one] or [
            one.replace(" to {to}", "").replace("{to}", "them") for one in phrases
        ]
    asked = rng.choice(phrases).format(title=title, to=to, **_parts(rng))
    return opened(asked[:1].upper() + asked[1:], rng)


def go_on(title: str, rng: random.Random, *, longest: int = 60) -> str:
    """What the next part of a cut document answers."""
    title = shorten(_plain_title(title), longest)
    phrases = (*GO_ON, *TITLED_GO_ON) if title else GO_ON
    return opened(rng.choice(phrases).format(title=title), rng)


def opened(asked: str, rng: random.Random) -> str:
    """`asked`, at times after a greeting: one alone must not mean that a name is asked for."""
    return rng.choice(OPENINGS) + asked if rng.random() < OPENED else asked


def _parts(rng: random.Random) -> dict[str, str]:
    return {slot: rng.choice(options) for slot, options in PARTS.items()}


def _plain_title(title: str) -> str:
    return re.sub(r"[*_`#\s]+", " ", title).strip(' ".')


def shorten(text: str, longest: int) -> str:
    """`text` of at most `longest` characters, cut at a word."""
    if len(text) <= longest:
        return text
    cut = text[: max(longest - 1, 1)]
    return (cut.rsplit(None, 1)[0] if " " in cut else cut).rstrip(" ,;:—-") + "…"
