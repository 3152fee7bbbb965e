"""What phones, lawyers, scanners and lists put under the words of a mail."""

import re
from collections.abc import Iterator

_SENT = (
    "Sent|Gesendet|Envoyée?|Enviad[ao]|Inviat[ao]|Verzonden|Verstuurd|Skickat|Sendt|Lähetetty"
    "|Wysłan[eoy]|Отправлено|Надіслано|Odesláno|Odoslané|Trimis|Изпратено|Poslano|发自|發自"
    "|来自|來自|傳送自|從我的|Στάλθηκε|נשלח|تم الإرسال|ส่งจาก|Dikirim|Đã gửi|Gửi từ"
    "|iPhoneから送信|나의 iPhone"
)
_DEVICE = (
    "iPhone|iPhon|iPad|Android|Galaxy|Samsung|Huawei|Xiaomi|Redmi|K-9|Outlook|BlackBerry|Nokia"
    "|Mail\\b|Почт|手机|手機|smartphone|mobil|Handy|telefon|Gerät|appareil|tablet"
)
# The line a phone adds, alone between blank lines
SENT_FROM_DEVICE = re.compile(
    rf"(?<=\n\n)[ \t]*(?=[^\n]*(?:{_DEVICE}))(?:(?:{_SENT})[^\n.!?,;]{{0,60}}"
    r"|[^\n.!?,;]{1,60}(?:gesendet|gönderildi|küldve|送信|보냄|傳送)|[^\n]{1,20}(?:에서 보냄))"
    r"(?:\([^\n()]{1,100}\)[^\n.!?,;]{0,30}|\.ru)?\.?[ \t]*(?=\n\s*\n|\s*\Z|\n>)",
    re.IGNORECASE,
)
_PARAGRAPH = re.compile(  # as a lawyer's begins
    r"^[ \t*_-]*(?:(?:CONFIDENTIALITY|LEGAL|PRIVACY)? ?(?:NOTICE|DISCLAIMER)|This"
    r"|The (?:information|contents?)|Diese[rs]?|Die Information|Ce|Cet|Les informations|Este"
    r"|Esta|La información|Questo|Questa|Le informazioni|Dit|De informatie|Denna|Denne"
    r"|Ta wiadomość|Данное|Настоящее|本(?:电子)?邮件)\b[^\n]*(?:\n[^\n]+){0,12}",
    re.MULTILINE | re.IGNORECASE,
)
_CONFIDENCE = re.compile(
    "confiden|privileged|vertrau|riservat|vertrouwel|poufn|конфиденц|保密|机密", re.IGNORECASE
)
_INTENDED = re.compile(
    "intended|addressee|recipient|Empfänger|Adressat|destinat|bestemd|geadresseerde|avsedd|adresat"
    "|получател|адресат|收件人",
    re.IGNORECASE,
)
SCANNED = re.compile(
    r"^(?:-{2,}[ \t]*\n)?[ \t]*(?:This e-?mail has been (?:checked|scanned)"
    r"|Diese E-Mail wurde von [^\n]{2,40}auf Viren|L'absence de virus"
    r"|Este correo electrónico ha sido comprobado|Virus-free\.|Questa e-?mail è stata"
    r" (?:esaminata|controllata)|Este email foi (?:escaneado|verificado))[^\n]*"
    r"(?:\n[^\n]*https?:[^\n]*|\nwww\.[^\n]*)?",
    re.MULTILINE | re.IGNORECASE,
)
# What a list's owner puts under every mail, to its end
LIST_TAIL = re.compile(
    r"^(?:__\._,_\.___|-{60,}[ \t]*\n(?=(?:[^\n]*\n){1,8}_{40,})|(?:[-_=*~]{5,}[ \t]*\n)?[ \t]*"
    r"Groups\.io Links)[^\0]{0,1500}\Z",
    re.MULTILINE,
)


def find_footers(text: str, start: int) -> Iterator[tuple[int, int]]:
    """(start, end) of each footer in text[start:]."""
    for pattern in (SENT_FROM_DEVICE, SCANNED, LIST_TAIL):
        for match in pattern.finditer(text, start):
            yield match.span()
    for match in _PARAGRAPH.finditer(text, start):
        if _CONFIDENCE.search(match[0]) and _INTENDED.search(match[0]):
            yield match.span()
