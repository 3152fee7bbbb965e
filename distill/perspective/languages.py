"""Tables of words by language: pronouns, verbs of speech, quotation marks, heads of quoted mail."""

import re
from dataclasses import dataclass

# What a pronoun says about its referent.
I, WE, YOU, HE, THEY = "i", "we", "you", "he", "they"  # noqa: E741 the word itself


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


@dataclass(frozen=True)
class Language:
    """The tables of one language; all words are lower case, apostrophes are straight.

    `present` verbs are what a being does in the third person; `past` also open a sentence
    whose subject, the writer, is left out. `speech` and `speech_nouns` announce a quotation.
    """

    code: str
    pronouns: dict[str, str]
    speech: frozenset[str]
    speech_nouns: frozenset[str]
    acting: frozenset[str]
    past: frozenset[str]
    not_elided_before: frozenset[str]
    determiners: frozenset[str]
    hints: frozenset[str]


ENGLISH_PRONOUNS = {
    I: "i me my mine myself i'm i've i'd i'll im ive",
    WE: "we us our ours ourselves we're we've we'd we'll let's",
    YOU: "you your yours yourself yourselves you're you've you'd you'll ya",
    HE: "he him his himself she her hers herself he's he'd he'll she's she'd she'll",
    THEY: "they them their theirs themselves themself they're they've they'd they'll",
}
GERMAN_PRONOUNS = {
    I: "ich mich mir mein meine meinen meinem meiner meines",
    WE: "wir uns unser unsere unseren unserem unserer unseres",
    YOU: "du dich dir dein deine deinen deinem deiner deines euch euer eure euren eurem eurer",
    HE: "er ihn ihm sein seine seinen seinem seiner seines",
    THEY: "sie ihr ihre ihren ihrem ihrer ihres ihnen",
}
CHINESE_PRONOUNS = {
    I: "我 俺 本人",
    WE: "我们 咱们 咱 我們 咱們",
    YOU: "你 您 你们 妳 你們",
    HE: "他 她",
    THEY: "他们 她们 他們 她們",
}

_SPEECH = """say says said saying ask asks asked asking tell tells told telling write writes wrote
written writing reply replies replied replying answer answers answered respond responds responded
explain explains explained argue argues argued note notes noted observe observes observed suggest
suggests suggested add adds added call calls called describe describes described report reports
reported claim claims claimed insist insists insisted admit admits admitted mention mentions
mentioned whisper whispers whispered shout shouts shouted yell yells yelled mutter mutters muttered
murmur murmurs murmured announce announces announced declare declares declared repeat repeats
repeated state states stated confirm confirms confirmed propose proposes proposed warn warns warned
promise promises promised email emails emailed text texts texted message messages messaged post
posts posted comment comments commented quote quotes quoted type types typed log logs logged sign
signs signed read reads think thinks thought wonder wonders wondered conclude concludes concluded
remark remarks remarked exclaim exclaims exclaimed cry cries cried continue continues continued
begin begins began interrupt interrupts interrupted speak speaks spoke order orders ordered request
requests requested demand demands demanded complain complains complained agree agrees agreed push
record records recorded file files filed validate validates validated send sends sent"""
_NOUNS = """message messages words word note notes question questions answer answers reply replies
response email emails mail letter text comment comments feedback request line phrase quote
instruction instructions directive prompt post remark advice warning subject"""
_ACTING = """wants want wanted knows knew feels felt likes liked loves loved hates hated wakes woke
sleeps slept sits sat stands stood walks walked smiles smiled laughs laughed nods nodded sighs
sighed shrugs shrugged looks looked watches watched stares stared turns turned leaves left arrives
arrived believes believed hopes hoped hopes decides decided remembers remembered forgets forgot
understands understood realizes realized realises realised notices noticed sees saw hears heard
opens opened closes closed picks picked puts put takes took gives gave gets got goes went comes
came thanks thanked helps helped asks teaches taught learns learned works worked lives lived reads
finds found makes made keeps kept holds held tries tried waits waited calls called types sends
pauses paused frowns frowned has had does did shares shared replied responds meets met agrees drinks
drank eats ate drives drove plays played paints painted blinks considers considered reviews
reviewed signs files filed checks checked"""
_PAST = """sent replied built wrote fixed added deployed checked posted published pushed committed
created updated tested read ran made found started finished completed emailed researched rebuilt
rewrote removed replaced moved merged installed configured cleaned generated designed drafted
edited reviewed verified confirmed responded answered asked told said thought tried learned learnt
noticed discovered decided realized realised worked spent took gave got had went came saw heard felt
kept let put set cut hit left lost met paid quit sold shut slept spoke stood swept taught understood
woke won explored implemented launched uploaded downloaded registered submitted shipped caught
broke changed converted recorded logged restarted rebooted reset restored resumed synced planned
prepared processed produced recovered redesigned reduced refactored reorganized reorganised reported
saved scanned scheduled searched shared shared stopped stored switched tagged touched trained
translated tweaked upgraded walked watched waited wired wrapped enjoyed listened talked met called
finalized finalised identified integrated investigated introduced expanded extended enabled disabled
dropped documented debugged cooked visited bought returned redrew reshaped regenerated re-ran
reworked renamed patched archived announced connected closed opened collected compiled compared
measured monitored ordered organized organised attended applied began chose did drew drove flew
forgot grew knew rode sang sat swam threw wore ate drank gathered picked planted painted played
practiced practised reread redid
undid withdrew overslept misread mistook foresaw forbade forgave froze bent bit bled blew bred dealt
dug fed fought fled hid hung knelt laid lent lit meant rang rose sought sent shook shot shrank sank
slid spread sprang stole stuck struck swore tore wept wound wove wrung texted phoned pinged killed
pruned rolled flagged bumped dialed archived unplugged swapped skipped muted banned fetched
reverted traced migrated audited rotated parsed rebased triaged drained toggled blocked unblocked
subscribed unsubscribed downgraded pinned throttled profiled exported imported indexed crawled
scraped tuned retrained booked packed washed baked trimmed repaired refilled borrowed swam"""
_NOT_ELIDED = """by as up-to"""
_DETERMINERS = """the a an my our all every each some any both no one two three four five six seven
eight nine ten this that these those his her its their your it him them me us another several many
new more most first second last next back out up down off over into from to with for at in on about
and through around after before until and, again here there everything nothing something everyone"""

ENGLISH = Language(
    "en",
    {word: kind for kind, words in ENGLISH_PRONOUNS.items() for word in words.split()},
    words(_SPEECH),
    words(_NOUNS),
    words(_SPEECH) | words(_ACTING),
    words(_PAST),
    words(_NOT_ELIDED),
    words(_DETERMINERS),
    words("the and is of to that with for was are not this have be it i on as but"),
)
_GERMAN_SPEECH = """sagt sagte sagen gesagt schreibt schrieb schrieben geschrieben fragt fragte
gefragt meint meinte antwortet antwortete geantwortet erklärt erklärte ruft rief flüstert flüsterte
murmelt murmelte bemerkt bemerkte betont betonte erwidert erwiderte entgegnet entgegnete denkt
dachte findet fand behauptet behauptete ergänzt ergänzte berichtet berichtete bat bittet"""
GERMAN = Language(
    "de",
    {word: kind for kind, words in GERMAN_PRONOUNS.items() for word in words.split()},
    words(_GERMAN_SPEECH),
    words("nachricht frage antwort worte satz notiz brief kommentar bitte mail hinweis"),
    words(_GERMAN_SPEECH)
    | words(
        "will wollte weiß wusste fühlt fühlte mag mochte liebt hasst lacht lachte lächelt sieht "
        "sah hört hörte geht ging kommt kam nimmt nahm gibt gab hilft half hat hatte wartet wacht"
    ),
    words("habe bin hab war hatte wollte konnte musste"),
    words(""),
    words("der die das den dem ein eine einen mich mir es alles nichts heute gestern noch nur"),
    words("der die das und ist nicht ich ein eine zu den mit auf dem für von sich auch es wie"),
)
CHINESE = Language(
    "zh",
    {word: kind for kind, words in CHINESE_PRONOUNS.items() for word in words.split()},
    words("说 說 问 問 写道 寫道 回答 答道 告诉 告訴 表示 认为 認為 回复 回覆 写 寫 喊 想 道"),
    words("消息 问题 问題 话 話 信 邮件 留言 回复"),
    words("说 說 问 問 写 寫 想 知道 觉得 回答 喜欢 要"),
    words(""),
    words(""),
    words(""),
    words("的 是 了 在 我 不 有 这 這"),
)


def _further(
    code: str, speech: str, past: str, hints: str, pronouns: dict[str, str], nouns: str = ""
) -> Language:
    """A language of which only the small words are known."""
    kinds = {word: kind for kind, row in pronouns.items() for word in row.split()}
    verbs = words(speech)
    return Language(
        code, kinds, verbs, words(nouns), verbs, words(past), words(""), words(""), words(hints)
    )


FURTHER = (
    _further(
        "fr",
        "dit disait écrit écrivait demande demanda répond répondit répondait ajoute ajouta",
        "",
        "le la les des est et un une dans pour que qui pas je vous nous au du sur avec ce il elle",
        {
            I: "je j'ai j'avais j'étais me moi mon ma mes mien mienne m'a m'ont",
            WE: "nous notre nos",
            YOU: "tu te toi ton ta tes vous votre vos",
            HE: "elle lui",
        },
        "message question réponse mots lettre",
    ),
    _further(
        "es",
        "dijo dice escribió escribe preguntó pregunta respondió responde contestó añadió",
        "",
        "el la los las de que y en un una por con para es no lo se su del al muy pero como más si",
        {
            I: "yo me mi mis mí conmigo mío mía",
            WE: "nosotros nosotras nos nuestro nuestra nuestros nuestras",
            YOU: "tú te ti tu tus contigo usted ustedes vosotros vosotras os vuestro vuestra",
            HE: "él ella",
            THEY: "ellos ellas",
        },
        "mensaje pregunta respuesta palabras carta",
    ),
    _further(
        "it",
        "disse dice scrisse scrive chiese chiede rispose risponde aggiunse",
        "",
        "il lo gli di che è e un una per con non sono del della nel alla ma come più questo anche",
        {
            I: "io mi me mio mia miei mie",
            WE: "noi ci nostro nostra nostri nostre",
            YOU: "tu ti te tuo tua tuoi tue voi vi vostro vostra",
            HE: "lui lei egli ella",
            THEY: "loro",
        },
    ),
    _further(
        "pt",
        "disse diz escreveu escreve perguntou pergunta respondeu responde acrescentou",
        "",
        "o os as de que e em um uma por com para é não se do da no na mais como mas foi ao você",
        {
            I: "eu me mim meu minha meus minhas comigo",
            WE: "nós nosso nossa nossos nossas",
            YOU: "tu te ti teu tua você vocês",
            HE: "ele ela",
            THEY: "eles elas",
        },
    ),
    _further(
        "nl",
        "zei zegt schreef schrijft vroeg vraagt antwoordde antwoordt",
        "",
        "de het een en van dat niet zijn met voor ik je aan er maar om ook nog wel naar bij op te",
        {
            I: "ik mij mijn me mezelf",
            WE: "wij we ons onze",
            YOU: "jij je jou jouw u uw jullie",
            HE: "hij hem haar",
            THEY: "zij hen hun",
        },
    ),
    _further(
        "sv",
        "sa säger skrev skriver frågade frågar svarade svarar sade sier spurte svarte sagde",
        "",
        "och att det som en är på för med av inte den jag har till ett om og det er ikke jeg på i",
        {
            I: "jag mig mitt min mina jeg meg mig mit",
            WE: "vi oss vår vårt våra vår vores os",
            YOU: "du dig ditt din dina ni er ert deg dit",
            HE: "han honom hans hon henne hennes hun hende ham",
            THEY: "dem deras",
        },
    ),
)
LANGUAGES = {language.code: language for language in (ENGLISH, GERMAN, CHINESE, *FURTHER)}

# Opening mark -> closing marks it may have. ' is handled with care: it is an apostrophe too.
QUOTES = {
    '"': '"',
    "“": '”"',
    "„": '“”"',
    "«": "»",
    "»": "«",
    "「": "」",
    "『": "』",
    "‘": "’",
    "‚": "‘",
    "'": "'",
}

WEEKDAYS = words(
    "monday tuesday wednesday thursday friday saturday sunday montag dienstag mittwoch donnerstag "
    "freitag samstag sonntag"
)
MONTHS = words(
    "january february march april may june july august september october november december "
    "januar februar märz mai juni juli oktober dezember"
)
# Given names that are verbs and other words that open sentences: at the start of a sentence the
# capital says nothing, and such a name needs evidence there.
COMMON_WORDS = words(
    """will mark may april june august friday sunday monday bill chase hope grant drew skip dash pat
    sue rob trace focus rich frank chance grace faith joy art guy young long short good cash mercy
    patience honor major sharp summer winter autumn spring dawn sky rain star stone angel star echo
    scout pilot shadow ghost sense vision memory wells banks bell bond cross day cook baker trip
    west east north south miles penny gene dean max ray flame spark quest norm lance"""
)

KIN = words(
    """mother mom mum mama mommy father dad daddy papa brother sister wife husband son daughter aunt
    uncle cousin nephew niece grandmother grandma grandfather grandpa girlfriend boyfriend fiancé
    fiancée partner spouse boss friend colleague coworker neighbour neighbor roommate teacher
    operator maker creator human doctor therapist landlord manager supervisor advisor mentor"""
)

# What the line over a quoted mail says, in the languages mail programs write it.
WROTE = re.compile(
    r"\b(?:wrote|writes|schrieb|schreibt|skrev|schreef|pisze|napisał\(?a?\)?|kirjoitti)\b"
    r"|a écrit|\bescribió|ha scritto|\bescreveu|пишет|написал\(?а?\)?|写道|寫道"
    r"|さんは書きました|yazdı|님이 작성|\bnapsala?\b|\bnapsal\(|đã viết|כתב|\bmenulis\b|έγραψε"
    r"|\bezt írta\b|\ba scris\b|のメール|\bnapísal\(?a?\)?|\bnapisao\b|\brašė\b|написа\b"
    r"|\bnapisala?\b|\bпише\b|\bписа[влa]\w?\b|\bнаписао\b|\bnapsal\b|\bírta\b|쓴 글"
    r"|\bgeschreven\b|\brakstīja\b|\bkirjutas\b|\bskrifaði\b|\bidatzi du\b|\bescribiu\b"
    r"|\bgeskryf\b|\bshkroi\b|\bнапиша\b|\bпіша\b|жазды|бичсэн|գրել է|წერდა|დაწერა|எழுதிய|लिखा"
    r"|लेख्नुभयो|লিখেছেন|เขียน|ရေးသား|نوشت|كتب|لکھا|\bכתבה?\b|\bתאריך .{5,60} מאת\b"
    r"|\bisinulat ni\b|\baliandika\b|\bysgrifennodd\b|\bscríobh\b"
    r"|\bMissatge de .{2,80} del dia\b"
)
# Over a quotation in ">": "Quoting Ada:", "* Ada [2014-11-05 10:12]:", "Ada said:"
QUOTING = re.compile(
    r"(?:Quoting|Quoth|Thus spake|Citando|Zitat von|Zitiere|Citat|Citation|Selon|From:) ?\S|"
    r"[*\[].{3,120}\]:|.{2,80}\b(?:said|says|wrote in message|dijo|sagte)\b.{0,80}:$",
    re.IGNORECASE,
)
# A date and a clock, as a head has them and a sentence seldom does
DATED = re.compile(r"(?:(?<!\d)\d{4}(?!\d)|\d{1,2}[-./] ?\d{1,2}[-./] ?\d{1,4}).{0,40}"
                   r"\d{1,2}[:.h]\d{2}|\d{1,2}[:.h]\d{2}.{0,40}(?:(?<!\d)\d{4}(?!\d)"
                   r"|\d{1,2}[-./] ?\d{1,2}[-./] ?\d\d)"
                   )  # fmt: skip
HEAD_OPENERS = re.compile(
    r"(?:On|Am|Le|El|Il|Em|Op|Den|W dniu|Dnia|Pada|Em|在|于|於|[12]\d{3}[-/年.]|\d{1,2}\.? )"
)
FROM_WORDS = (
    "Feladó|De la|Від|Šalje|Nuo|No(?=:[^\n]*@)|Saatja|Από|من|מאת|از|प्रेषक|จาก|Từ|Dari|寄件人"
    "|Frá|Nadawca|Mittente|Remitente|Remetente|Afzender|Expéditeur|Absender|Avsändare|Afsender"
    "|Avsender|送信元|送信者|Pošiljatelj|Odosielateľ|Odesílatel|Siuntėjas|Gönderen|Expeditor"
    "|Подател|From|Von|De|Da|Van|Från|Fra|Od|От|Lähettäjä|Kimden|发件人|發件人|寄件者|差出人"
    "|보낸 사람"
)
HEAD_WORDS = (
    "Enviado el|Enviad[ao] em|Enviat el|Lähetetty|Vastaanottaja|Aihe|Päivämäärä|Odesláno|Komu"
    "|Předmět|Odoslané|Predmet|Elküldve|Címzett|Tárgy|Dátum|Trimis|Către|Subiect|Изпратено|До"
    "|Относно|Надіслано|Poslano|Prima|Za|Zadeva|Išsiųsta|Kam|Tema|Nosūtīts|Tēma|Saatmisaeg"
    "|Saadetud|Adressaat|Teema|Kuupäev|Στάλθηκε|Ημερομηνία|Προς|Θέμα|تم الإرسال|التاريخ|إلى"
    "|الموضوع|נשלח|תאריך|אל|נושא|ارسال شده|تاریخ|به|موضوع|भेजा गया|दिनांक|प्रति|विषय|ส่ง|วันที่"
    "|ถึง|เรื่อง|Đã gửi|Ngày|Đến|Chủ đề|Dikirim|Tanggal|Kepada|Subjek|寄件日期|Per a|Assumpte"
    "|Efni|Sujet|Pour|Assunto|Envoyé le|Inviato il|Verstuurd|Sent on|Destinatario|Destinataire"
    "|Destinatário|Odbiorca|Ontvanger|Sent|Date|To|Cc|Subject|Reply-To|Gesendet|Datum|An"
    "|Betreff|Envoyé|À|Objet|Date|Enviado|Para|Asunto|Inviato|Data|A|Oggetto|Verzonden|Aan"
    "|Onderwerp|Skickat|Till|Ämne|Sendt|Til|Emne|Wysłano|Do|Temat|Отправлено|Кому|Тема"
    "|发送时间|收件人|主题|日期|發送時間|主旨|收件者|送信日時|件名|宛先|CC|cc|Bcc|bcc|Kopie"
    "|Kopia|Kopi|Copie à|Cópia|Копия|抄送|抄送人|副本|Reply to|Antwort an|Répondre à"
    "|Responder a|Rispondi a|Дата|Gönderildi|Gönderilme Tarihi|Tarih|Kime|Bilgi|Konu|日時|日付"
    "|보낸 날짜|받는 사람|제목|참조|Dato|Importance|Wichtigkeit|Attachments|Anlagen"
)
# Outlook's block: a From line, then at least one more head line.
FORWARD_BLOCK = re.compile(
    rf"^[ \t>*]*(?:{FROM_WORDS})[ \t]*\**[:：]\**[ \t]*(?P<who>[^\n]{{1,200}})"
    rf"(?:(?:\n[ \t]*){{1,3}}[ \t>*]*(?:{HEAD_WORDS})[ \t]*\**[:：][^\n]{{0,400}})+",
    re.MULTILINE,
)
# Lotus Notes: the sender, date and time (on one line or two), then at least To, cc or Subject.
NOTES_BLOCK = re.compile(
    r"^[ \t]*(?P<who>[^\s:>][^\n:]{1,80}?)[ \t]*\n?[ \t]*\d\d?[/.]\d\d?[/.]\d{2,4} \d\d?:\d\d"
    r"(?::\d\d)?(?: ?[AP]M)?[ \t]*\n(?:[ \t]*\n|[ \t]*(?:Please respond to|Sent by)[^\n]*\n){0,3}"
    r"[ \t]*(?:To|An|Pour)[ \t]*:[^\n]*"
    r"(?:\n[ \t]*(?:cc|bcc|Subject|Kopie|Thema|Objet)[ \t]*:[^\n]*)+",
    re.MULTILINE,
)
FORWARD_LINE = re.compile(
    r"^[ \t>]*-{3,30}[^\n-][^\n]{3,160}\b(?:wrote|schrieb|écrit|escribió"
    r"|scritto)[ \t]*:?[ \t]*-{3,}[ \t]*$|^[ \t#*=-]{0,12}(?:please )?(?:reply"
    r"|write) above this line[^\n]{0,40}$|^[ \t>]*-{2,}[ \t]*(?:Forwarded message"
    r"|Original Message|Original Appointment|Ursprüngliche Nachricht|Weitergeleitete Nachricht"
    r"|Message transféré|Message d'origine|Mensaje reenviado|Mensaje original"
    r"|Messaggio inoltrato|Messaggio originale|Mensagem encaminhada|转发的邮件|原始邮件"
    r"|原始郵件|Doorgestuurd bericht|Oorspronkelijk bericht|Oprindelig meddelelse"
    r"|Vidarebefordrat|Forwarded by|Пересылаемое сообщение|Исходное сообщение"
    r"|Пересланное сообщение|İletilen Mesaj|Przekazana wiadomość|Wiadomość oryginalna"
    r"|Oryginalna wiadomość|Přeposlaná zpráva|Původní zpráva|Preposlaná správa|Pôvodná správa"
    r"|Перенаправленное сообщение|Továbbított üzenet|Eredeti üzenet|Välitetty viesti"
    r"|Alkuperäinen viesti|转发的?(?:消息|邮件信息)|轉寄的郵件|Ursprungligt meddelande"
    r"|Mensagem original|Opprinnelig melding|Videresendt (?:melding|besked)|Özgün İleti"
    r"|원본 메[시세]지|전달된 메[시세]지|Αρχικό μήνυμα|Προωθημένο μήνυμα|Mesaj original"
    r"|Mesaj redirecționat|Izvorna poruka|Proslijeđena poruka|Оригінальне повідомлення"
    r"|Переслане повідомлення|Препратено съобщение|Оригинално съобщение|Oorspronkelijk"
    r"|الرسالة الأصلية|הודעה מקורית|Pesan asli|Pesan yang diteruskan|Tin nhắn gốc"
    r"|Orijinal Mesaj|İletilmiş|転送|元のメッセージ|Original-Nachricht)[^\n]{0,120}$"
    r"|^[ \t>]*(?:Begin forwarded message|Forwarded message|Début du message (?:réexpédié"
    r"|transféré)|Anfang der weitergeleiteten (?:E-Mail|Nachricht)"
    r"|Inizio (?:del )?messaggio inoltrato|Inicio del mensaje reenviado"
    r"|Início da mensagem (?:re)?encaminhada|Begin doorgestuurd bericht"
    r"|Start på videresendt besked|Videresendt melding|Välitetty viesti alkaa"
    r"|Początek przekazywanej wiadomości|전달된 메[시세]지 시작|Başlangıç: iletilen ileti"
    r"|Začátek přeposílané zprávy|Továbbított levél kezdete|Αρχή προωθημένου μηνύματος"
    r"|Vidarebefordrat brev|Начало переадресованного (?:письма|сообщения)|开始转发的邮件"
    r"|Başlangıç iletilmiş mesaj|İletilen mesajın başlangıcı|転送されたメッセージ)"
    r"[ \t]?[:：][ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
SENT_FROM = re.compile(
    r"^[ \t]*(?:Sent (?:from|via|with) (?:my|the|Mail|Outlook|Yahoo|Gmail|Proton|iPhone|Samsung)|"
    r"Get Outlook for|Gesendet (?:mit|von)|Отправлено с|Wysłane z|Sendt fra|Lähetetty|"
    r"Von meinem [^\n]{1,40} gesendet|Envoyé de mon|Enviado desde mi|Enviado do meu|"
    r"Inviato da|Verzonden vanaf|Skickat från min|发自我的|從我的)"
    r"[^\n,.<(]{0,40}(?:[<(]https?:[^\n<>()]{1,200}[>)])?\.?$",
    re.MULTILINE,
)


# What a list or a forum puts under every mail, to its end
LIST_FOOTER = re.compile(
    r"^(?:[-_=*~]{5,}[ \t]*\n)?[ \t]*(?:To (?:unsubscribe|subscribe|post to|view this discussion)|"
    r"You (?:received|are receiving) this (?:message|mail|email|because)|For additional commands|"
    r"Reply to this (?:email|message) directly|Visit (?:Topic|the topic)|View this topic)"
    r"\b[^\n]*(?:\n[^\n>]*){0,12}\Z",
    re.MULTILINE,
)


_HAN = re.compile("[一-鿿]")
_PLAIN_ENGLISH = re.compile(r" (?:the|of|and|this) ")


def language_of(text: str) -> Language:
    """The language whose small words are most frequent in the first part of a text."""
    sample = text[:4000]
    if not sample.isascii() and len(_HAN.findall(sample)) * 5 > len(sample):
        return CHINESE
    if sample.isascii() and _PLAIN_ENGLISH.search(sample):
        return ENGLISH
    found = sample.casefold().split()
    tongues = (ENGLISH, GERMAN, *FURTHER)
    counts = [sum(word in one.hints for word in found) for one in tongues]
    most = max(counts)
    return tongues[counts.index(most)] if most > 1 else ENGLISH
