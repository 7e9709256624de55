"""放进任何场景都通顺的句子：只写节奏与停顿，不添加摘要里没有的情节。

The Chinese counterpart of `phrases_en.py`: `{name}` is a person of the summary, `{thing}` one of its things (那封信).
Chinese verbs have no tense.
"""

OPENING = (
    "这一刻看上去与平日并无不同。",
    "一切开始得很安静，许多事都是这样开始的。",
    "四周静了下来，静得每一点声响都格外清楚。",
    "起初没有什么特别之处，也没有谁料到后来的事。",
    "空气里有一种说不出的意味，像是在等着什么。",
)
PLAIN = (
    "事情并不是一下子发生的。",
    "起初只是一点异样的感觉，随后便再也无法忽视。",
    "一个个细节先后浮现，过了一会儿才连成一片。",
    "片刻的停顿，长得足以让人察觉。",
    "在此之前还只是可能的事，如今成了事实。",
    "有那么一小会儿，什么都不必决定。",
    "其中的分量，要过一阵才能真正掂量出来。",
    "不远处有寻常的声响，对这一切无动于衷。",
    "往前的一步，比看上去更难。",
    "没有哪一个理由能单独解释这一切。",
    "无论先前如何，此刻的意义已经不同。",
    "光影微微移动了一些。",
    "空气里还悬着什么没有了结的东西。",
    "细小的事情照旧进行着，细小的事情总是如此。",
    "几次心跳过去了，又是几次。",
    "最该问的那个问题悬在那里，没有回答。",
    "这样的时刻，容不下太多犹豫。",
    "移开目光本来不难，只是已经迟了一点。",
    "从这里开始，再平常的举动也有了别的意味。",
    "此后的安静，和先前的安静不是同一种。",
    "也许这只是一件小事，可是感觉起来并不小。",
    "现在不必着急了，也没有退路了。",
    "没有说出口的话，占去了大半的空间。",
    "一个念头引出另一个念头，没有一个让人宽心。",
    "慢慢地，周围的一切又回到了视线里。",
    "时间像是放慢了脚步，又像是忽然快了起来。",
)
PERSONAL = (
    "有那么一瞬间，{name}什么也没有做。",
    "{name}慢慢地把眼前的一切看在心里。",
    "{name}有一个问题想问，却一直没有等到合适的时机。",
    "这和{name}原先想的并不一样。",
    "{name}没有说出最先想到的那句话。",
    "无论{name}心里是什么滋味，脸上都没有露出来。",
    "{name}想，换作任何别的日子，事情也许不会是这样。",
    "{name}费了些力气，才让自己平静下来。",
    "很久以后，{name}仍会记得此刻的安静。",
    "对{name}来说，已经没有什么可怀疑的了。",
    "{name}试着不去多想，却没有做到。",
    "{name}的心里，其实早已有了决定。",
    "{name}缓缓地呼出一口气。",
)
ABOUT_A_THING = (
    "目光一次又一次地落回{thing}上。",
    "有一阵子，一切似乎都系在{thing}上。",
    "心思绕来绕去，总是回到{thing}上。",
)
CLOSING = (
    "之后，便没有多少话可说了。",
    "接下来的事，属于另一个时刻。",
    "周围什么也没有变，却又分明与先前不同了。",
    "这一刻就这样过去了。",
)

_SIMPLIFIED = (
    "这与并无许样开静声响没别后来说气种发异觉随过会儿连长让还实么里义经动悬东结细进总几问题时难从举间绕个单释围视线脚脸费"
    "对怀试却缓换为属变现话占决轻系终远着该应头给当听见谁边"
    "处点节顿阵寻于独论旧犹迟宽适机"
)
_TRADITIONAL = (
    "這與並無許樣開靜聲響沒別後來說氣種發異覺隨過會兒連長讓還實麼裡義經動懸東結細進總幾問題時難從舉間繞個單釋圍視線腳臉費"
    "對懷試卻緩換為屬變現話佔決輕繫終遠著該應頭給當聽見誰邊"
    "處點節頓陣尋於獨論舊猶遲寬適機"
)
# Fit for the sentences above, where each of these characters has one meaning.
_TO_TRADITIONAL = str.maketrans(_SIMPLIFIED, _TRADITIONAL)


def in_script_of(text: str, phrase: str) -> str:
    """Return a phrase in traditional characters if the text is written in them."""
    traditional = sum(character in _TRADITIONAL for character in text)
    simplified = sum(character in _SIMPLIFIED for character in text)
    return phrase.translate(_TO_TRADITIONAL) if traditional > simplified else phrase
