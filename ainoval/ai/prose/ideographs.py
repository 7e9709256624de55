"""Characters of Chinese (and Japanese) writing, as ranges for regular expressions."""

# Written without blanks between words.
CJK = "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# And their punctuation: twice as wide as a letter.
WIDE = f"{CJK}\u3000-\u303f\uff00-\uffef"
