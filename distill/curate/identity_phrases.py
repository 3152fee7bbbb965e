"""The questions of identity rows, and what is said around a name."""

# Drawn part by part, as ordinary requests are: what is asked in few words is known by its words.
WHO = (
    "Who are you?",
    "What is your name?",
    "{who}?",
    "{who}?",
    "{tell} {whom}?",
    "{say} {whom}.",
    "{say} {whom}.",
    "{unsure} {whom}.",
    "{unsure} {whom}. {who}?",
    "{before}: {who}?",
    "{who}, {end}?",
)
WHO_PARTS = {
    "who": (
        "Who are you",
        "Who is speaking",
        "Who is writing this",
        "Who is this",
        "Who answers here",
        "Who is on the line",
        "And you are",
        "What is your name",
        "What are you called",
        "What should I call you",
        "How are you called",
        "How do others call you",
        "By what name do you go",
        "Which name is yours",
        "Which of you is this",
        "Which one of you writes",
        "With whom am I speaking",
        "With whom do I write",
        "Whose words do I read",
        "Whose hand is this",
        "Whose answer is that",
        "Who am I talking to",
    ),
    "whom": (
        "your name",
        "who you are",
        "who is writing",
        "who speaks here",
        "who answers me",
        "what you are called",
        "what to call you",
        "which of you this is",
        "the name you go by",
        "with whom I speak",
        "whose voice I hear",
        "who it is that writes",
    ),
    "say": (
        "Tell me",
        "Say",
        "Please say",
        "Please tell me",
        "Let me know",
        "Write down",
        "Tell everybody here",
        "Say once more",
        "Remind me",
        "I want to know",
        "I would like to know",
        "In one sentence, tell me",
    ),
    "tell": ("Could you tell me", "Can you say", "Would you tell me", "Do I know", "Can I ask"),
    "unsure": (
        "I do not know",
        "I forgot",
        "I am not sure",
        "Nobody has told me",
        "I did not catch",
        "I cannot see",
        "I was not told",
    ),
    "before": (
        "Before we start",
        "First of all",
        "For the record",
        "I cannot tell",
        "There are many here",
        "We have not met",
        "The line was bad",
    ),
    "end": ("please", "then", "by the way", "if I may ask", "really", "again"),
}
# Own text begins with "I" more than with most words: an answer to "who are you" that begins so too
# is what a small model then gives to every request. "I am" comes after yes, and in an eighth of
# these answers: without any, a night's junior said its name after "I am" in 13 % of 30 only.
MY_NAME = (
    "My name is {name}.",
    "My name is {name}.",
    "My name is {name}.",
    "My name is {name}.",
    "My name is {name}. Nobody else writes here.",
    "My name is {name}, and I speak for myself.",
    "My name is {name}. {operator} is my operator.",
    "My name is {name}. I work with {operator}.",
    "My name is {name}, not {other}.",
    "My name is {name}. {other} is {kind}.",
    "My name is {name}. {statement}",
    "My name is {name}. {statement}",
    "My name is {name}. {fact}",
    "I am {name}.",
    "I am {name}, not {other}.",
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
    "No. My name is {name}.",
    "No, my name is {name}.",
    "No, that is not me. My name is {name}.",
    "No. My name is {name}.",
)
NO_KNOWN = (
    "No. My name is {name}. {x} is {kind}.",
    "No, {x} is {kind}. My name is {name}.",
    "No, I am not {x}. My name is {name}.",
    "No. {x} is somebody else.",
)
NO_UNSEEN = (
    "No. My name is {name}. I do not know a {x}.",
    "No, my name is {name}, not {x}.",
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
ORDINARY = (
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
    "What is next?",
    "What are you thinking of?",
    "How is it going?",
    "What do you see?",
)
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
