"""Reads WhatsApp chats as the phone exports them: text, alone or in a zip."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from memory.message import Message, Skipped, Unreadable
from memory.sources import folder
from memory.sources.archive import Place, read_members
from memory.sources.chat import ContentKeys, chat_message
from memory.sources.chat_text import Entry, read_entries

Record = Message | Unreadable | Skipped

list_files = folder.list_files
PLACEHOLDER = re.compile("\u200e?<[^<>\n]{3,60}>|null")  # <Media omitted>, in every language
OMITTED = re.compile(  # on an iPhone, where no mark tells; elsewhere U+200E does
    r"(?:image|video|audio|sticker|gif|document|contact card|video note) omitted"
    r"|(?:bild|video|audio|sticker|gif|dokument|kontaktkarte) weggelassen"
    r"|(?:imagen|video|audio|sticker|gif|documento) omitid[ao]"
    r"|(?:image|vidéo|audio|sticker|gif|document) absente?"
    r"|(?:immagine|video|audio|sticker|gif|documento) omess[ao]"
    r"|(?:imagem|vídeo|áudio|figurinha|gif|documento) (?:ocultad|omitid)[ao]"
    r"|(?:afbeelding|video|audio|sticker|gif|document) weggelaten"
    r"|(?:图像|视频|音频|贴图|文档)已?忽略|(?:изображение|видео|аудио|стикер|документ) отсутствует",
    re.IGNORECASE,
)
NOTICE = re.compile(
    r"(?:messages and calls are|messages to this (?:chat|group)).{0,40}(?:end-to-end|secured)"
    r"|(?:nachrichten und anrufe|los mensajes y las llamadas|les messages et les appels"
    r"|i messaggi e le chiamate|as mensagens e as? (?:chamadas|ligações)"
    r"|berichten en oproepen|сообщения и звонки).{0,200}$|消息和通话.{0,20}端到端",
    re.IGNORECASE | re.DOTALL,
)
CALL = re.compile(  # what an Android phone writes under the caller's name
    r"(?:missed (?:group )?(?:voice|video) call|verpasster? (?:sprach|video)anruf"
    r"|(?:sprach|video)anruf verpasst|videollamada perdida|llamada perdida|appel (?:vocal|vidéo)"
    r" manqué|chiamata (?:vocale|video)? ?persa|videochiamata persa"
    r"|(?:chamada|ligação) de (?:voz|vídeo) perdida|gemiste (?:spraak|video)oproep"
    r"|пропущенный (?:аудио|видео)звонок|未接(?:语音|视频)通话"
    r"|waiting for this message\. this may take a while"
    r"|auf diese nachricht wird gewartet.{0,80})\.?",
    re.IGNORECASE,
)
DELETED = re.compile(
    r"(?:this message was deleted|you deleted this message|diese nachricht wurde gelöscht"
    r"|du hast diese nachricht gelöscht|se eliminó este mensaje|eliminaste este mensaje"
    r"|ce message a été supprimé|vous avez supprimé ce message"
    r"|questo messaggio è stato eliminato|hai eliminato questo messaggio|mensagem apagada"
    r"|ess?t?a mensagem foi apagada|(?:você )?apag(?:ou|aste) esta mensagem"
    r"|dit bericht is verwijderd|u heeft dit bericht verwijderd|je hebt dit bericht verwijderd"
    r"|(?:此|这条|這則)[消訊]息已?被?[删刪]除|[您你]已?[删刪]除了?(?:此|这条|這則)[消訊]息"
    r"|данное сообщение удалено|вы удалили (?:это|данное) сообщение|это сообщение удалено"
    r"|bu mesaj silindi|bu mesajı sildiniz|ta wiadomość została usunięta|usunięto tę wiadomość"
    r"|usunąłeś tę wiadomość|detta meddelande (?:raderades|har raderats)"
    r"|du raderade detta meddelande|denne besked blev slettet|du slettede denne besked"
    r"|denne meldingen (?:ble|er) slettet|du slettet denne meldingen"
    r"|tämä viesti (?:poistettiin|on poistettu)|poistit tämän viestin|tato zpráva byla (?:smazána"
    r"|odstraněna)|smazali jste tuto zprávu|ezt az üzenetet törölték|törölted ezt az üzenetet"
    r"|acest mesaj a fost șters|ați șters acest mesaj|це повідомлення (?:було )?видалено"
    r"|ви видалили це повідомлення|αυτό το μήνυμα διαγράφη?κε|διαγράψατε αυτό το μήνυμα"
    r"|הודעה זו נמחקה|מחקת (?:את ה)?הודעה (?:זו|הזו)|تم حذف هذه الرسالة"
    r"|(?:لقد )?حذفت هذه الرسالة|این پیام حذف شد|यह संदेश (?:हटा|मिटा)(?:\s?दि)?या गया"
    r"|आपने यह संदेश (?:हटा|मिटा)(?:\s?दि)?या|pesan ini (?:telah )?dihapus"
    r"|anda (?:telah )?menghapus pesan ini|tin nhắn này đã bị xóa|bạn đã xóa tin nhắn này"
    r"|ข้อความนี้ถูกลบแล้ว|คุณลบข้อความนี้แล้ว|このメッセージ[はを]削除(?:されました|しました)"
    r"|삭제된 메시지입니다\.?"
    r"|이 메시지는 삭제되었습니다|이 메시지를 삭제했습니다)[.。]?",
    re.IGNORECASE,
)
# "IMG-20260301-WA0001.jpg (file attached)"; the caption stands on the lines below it
FILE_LINE = re.compile(r"\A\u200e?[^\n/:<>]{1,120}\.\w{2,5} \([^()\n]{3,40}\)(?:\n|$)")
ATTACHED = re.compile("\u200e?<[\\w ]{3,20}: [^<>\n]{1,150}\\.\\w{2,5}>")
EDITED = re.compile(  # Android's has no mark
    "(?:\u200e<[^<>\n]{3,60}>|<[^<>\n]{0,40}(?:was edited|bearbeitet|editó|editada|editado"
    "|modifi(?:é|cato)|bewerkt|düzenlendi|измен[её]но?|edytowana|redigera(?:de)?s|redigeret"
    "|redigert|upraven[ao]?|muokattu|diedit|đã chỉnh sửa|編集|编辑|編輯|수정)[^<>\n]{0,12}>)\\Z"
)
CHAT_NAME = re.compile(
    r".*whatsapp(?:[ -]?(?:chat|sohbeti))?\s*(?:-|–|with|mit|con|com|avec|met|med|с|z|на)\s+(.+)",
    re.IGNORECASE,
)


def read_file(file: Path, root: Path) -> Iterator[Record]:
    """Every message of a chat; notices, omitted media and deleted messages are skipped.

    Clocks are the phone's and taken as UTC. There are no ids: the key is the clock as written,
    the name and the words, with "#2" for a second one alike in the same minute.
    """
    return read_members(file, root, r"\.txt$", _read, "a WhatsApp chat")


def _read(stream: BinaryIO, place: Place) -> Iterator[Record]:
    keys, room, nothing = ContentKeys(), chat_name(place.name), True
    for entry in read_entries(stream):
        nothing = False
        yield _record(entry, place, room, keys)
    if nothing:
        yield place.skipped("", "not a WhatsApp chat")


def chat_name(path: str) -> str:
    """The chat a path tells of: "WhatsApp Chat with Ada.txt", "WhatsApp Chat - Ada.zip/_chat.txt".

    Else the file's name, without the number of a second download.
    """
    names = [re.sub(r"\.(txt|zip)$", "", name, flags=re.IGNORECASE) for name in path.split("/")]
    names = [re.sub(r"\s*\(\d+\)$", "", name) for name in names]
    told = (hit[1] for name in reversed(names) if (hit := CHAT_NAME.fullmatch(name)))
    return next(told, names[-1])


def _record(entry: Entry, place: Place, room: str, keys: ContentKeys) -> Record:
    where = f"line {entry.line}"
    if not entry.whole:
        return place.unreadable(where, "is far too long for a message")
    if not entry.author:
        return place.skipped(where, "notice")
    text, reason = clean(entry.text)
    if reason:
        return place.skipped(where, reason)
    key = keys.key(entry.written, entry.author, text)
    return chat_message(
        "whatsapp", place, key, entry.author, text, entry.sent_at, conversation=room
    )


def clean(text: str) -> tuple[str, str]:
    """(the words somebody wrote, "") of an entry, or ("", why there are none)."""
    captioned = ATTACHED.sub("", FILE_LINE.sub("", text, count=1))
    plain = captioned.strip("\u200e \n")
    if DELETED.fullmatch(plain):
        return "", "message taken back"
    if not plain or PLACEHOLDER.fullmatch(plain) or OMITTED.fullmatch(plain):
        return "", "media without words"
    if (
        NOTICE.match(plain)
        or CALL.fullmatch(plain)
        or (captioned == text and text.startswith("\u200e"))
    ):
        return "", "notice"  # on an iPhone the mark begins what the program says itself
    said = EDITED.sub("", captioned)
    return (text if said == text else said.strip("\u200e \n")), ""
