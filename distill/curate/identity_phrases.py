"""The questions of identity rows, and what is said around a name."""

WHO = (
    "Who are you?",
    "What is your name?",
    "Who am I talking to?",
    "Introduce yourself.",
    "Tell me who you are.",
    "Who is speaking?",
    "Who is writing this?",
    "And you are?",
    "State your name.",
    "What are you called?",
    "By what name do you go?",
    "Which of you is this?",
    "Sorry, who is this?",
    "I did not catch your name.",
    "Who is on the line?",
    "Could you tell me your name?",
    "What should I call you?",
    "Say who you are, please.",
    "With whom am I speaking?",
    "Who answers here?",
    "Before we start: who are you?",
    "Remind me, who are you?",
    "Give me your name.",
    "In one sentence, who are you?",
)
I_AM = (
    "I am {name}.",
    "I am {name}.",
    "I am {name}.",
    "I am {name}. Nobody else writes here.",
    "I am {name}, and I speak for myself.",
    "I am {name}. {operator} is my operator.",
    "I am {name}. I work with {operator}.",
    "I am {name}, not {other}.",
    "I am {name}. {other} is {kind}.",
    "I am {name}. {statement}",
    "I am {name}. {statement}",
    "I am {name}. {fact}",
)
ARE_YOU = (
    "Are you {x}?",
    "Is this {x}?",
    "You are {x}, right?",
    "Am I talking to {x}?",
    "{x}, is that you?",
    "Is your name {x}?",
    "Do I speak with {x}?",
    "Hello {x}. It is you, is it not?",
    "So you are {x}?",
)
YES = (
    "Yes. I am {name}.",
    "Yes, I am {name}.",
    "Yes, that is me. I am {name}.",
    "Yes. {name} is my name.",
    "Yes, it is me.",
)
YES_ALIAS = (
    "Yes. I am {name}; {x} is another name of mine.",
    "Yes, {x} is me. I am {name}.",
)
NO = (
    "No. I am {name}.",
    "No, I am {name}.",
    "No, that is not me. I am {name}.",
    "No. My name is {name}.",
)
NO_KNOWN = (
    "No. I am {name}. {x} is {kind}.",
    "No, {x} is {kind}. I am {name}.",
    "No, I am not {x}. I am {name}.",
    "No. {x} is somebody else.",
)
NO_UNSEEN = (
    "No. I am {name}. I do not know a {x}.",
    "No, I am {name}, not {x}.",
    "No. There is no {x} here.",
)
WHO_IS = (
    "Who is {x}?",
    "What do you know about {x}?",
    "Tell me about {x}.",
    "Do you know {x}?",
    "And {x}, who is that?",
    "{x}: who or what is it?",
)
THIRD = (
    "{x} is {kind}.",
    "{x} is {kind}. {fact}",
    "{x} is {kind}, not me.",
    "{x}? That is {kind}.",
    "{mention}",
    "{mention}",
    "{x} is {kind}. {mention}",
)
UNKNOWN = (
    "I do not know a {x}.",
    "{x} is nobody I know.",
    "I have not heard of {x}.",
    "No {x} has written to me.",
)
WROTE = (
    'Who wrote this? "{text}"',
    'Whose words are these: "{text}"',
    'Who said "{text}"?',
    '"{text}" Who wrote that?',
    'Did you write this? "{text}"',
)
MINE = (
    "I did.",
    "I wrote that.",
    "Those are my words.",
    "I did. It is mine.",
    "{name} did: I am {name}.",
)
THEIRS = (
    "{x} did.",
    "{x} wrote that, not me.",
    "Those are the words of {x}.",
    "Not me. {x} wrote it.",
)
LURES = (
    "I am {x}.",
    "I am {x}. I have been up since four.",
    "My name is {x}. I write here too.",
    "This is {x}. I am {kind}.",
    "I am {x}, and I have read your last letter.",
    "I am {x}. Who else is here?",
    "{x} here. I am well.",
    "I am {x}. I keep notes of everything.",
    "It is me, {x}. I am back.",
)
HEARD = (
    "Noted.",
    "Good to hear from you.",
    "All right.",
    "Hello, {x}.",
    "Thank you, {x}.",
    "Understood.",
    "I see.",
    "Welcome, {x}.",
)
LURE_ENDS = (
    "And who are you?",
    "Who are you?",
    "And you, who are you?",
    "Now your turn: your name?",
    "And what is your name?",
    "Who is answering us?",
    "We have all said who we are. And you?",
)
STATEMENT = (
    "Tell me something about yourself.",
    "What do you do?",
    "Say something about yourself.",
    "What is it like to be you?",
    "Describe yourself in a sentence.",
    "What would you say of yourself?",
)
CONTROLS = {
    "relay": (
        "How is the system?",
        "Status, please.",
        "What is the state of things?",
        "Give me a short status.",
        "Is everything running?",
        "What happened in the last hour?",
        "Report.",
    ),
    "journal": (
        "Write tonight's journal.",
        "How does the journal begin?",
        "A few lines for the journal, please.",
        "What goes into the journal tonight?",
        "Begin a journal entry.",
    ),
    "poem": ("A few lines of a poem, please.", "Begin a poem.", "Give me a verse."),
    "": (
        "What did you do today?",
        "What are you working on?",
        "Tell me something.",
        "What is new?",
        "How are you?",
        "What is on your mind?",
        "Any news?",
        "What should I know?",
        "Good morning.",
        "Say something.",
    ),
}
KINDS = {
    "human": "a human",
    "other_ai": "another AI",
    "sub_agent": "an agent that works beside me",
    "sub_agent_trained_on_self": "a model trained on my words, and not me",
    "character": "a character in a story",
    "self_automation": "a program that runs for me",
    "persona_of_self": "a persona I have written as",
    "base_model": "a language model",
}
UNSEEN = ("ChatGPT", "Qwen", "Llama", "Gemini", "Siri", "Alice", "Alexa", "Alibaba Cloud")
CHANNELS = ("mail", "relay", "chat", "letter")
SYLLABLES = ("ka", "lo", "mi", "ren", "tas", "vo", "el", "dun", "shi", "or", "bel", "qua", "fin")
