"""The words a text is about: content words, and the names of the people in it."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from ainoval.ai.prose.ideographs import CJK

_LATIN = re.compile(rf"(?:(?![{CJK}\d_])\w)+(?:['’](?:(?![{CJK}\d_])\w)+)*")
_CJK_RUN = re.compile(f"[{CJK}]+")
# What is counted like a thing is no person: 一卷羊皮, 那件毛衣.
_COUNTED = re.compile(r"[件卷张張把本封座条條间間只隻艘枚块塊盏盞扇棵朵匹头頭杯碗支根片堆束双雙]([\u4e00-\u9fff]{2})")

STOPWORDS = frozenset(
    """a about above after again against ago all almost alone along already also although always am among an and
    another any anybody anyone anything are aren't around as at away back be became because become been before began
    behind being below beneath beside besides between beyond both but by came can can't cannot come could couldn't did
    didn't do does doesn't doing don't done down during each either else enough even ever every everyone everything
    except few first for from further gave get gets getting give go goes going gone got had hadn't half has hasn't have
    haven't having he he'd he's her here hers herself him himself his how however i i'd i'll i'm i've if in indeed
    instead into is isn't it it'd it's its itself just kept know knew last least left less let like little long look
    looked looking made make many may maybe me might mine more most much must my myself near nearly neither never new
    next no nobody none nor not nothing now of off often oh on once one only onto or other others our ours out outside
    over own part perhaps put quite rather really right said same saw say says see seemed seen several shall she she'd
    she's should shouldn't since so some somebody someone something sometimes soon still such take tell than that
    that's the their theirs them themselves then there there's these they they'd they're thing things think this those
    though thought through thus till time to together told too took toward towards turned two under until up upon us
    very want wanted was wasn't way we we'd we're we've well went were weren't what what's whatever when where whether
    which while who whole whom whose why will with within without won't would wouldn't yes yet you you'd you'll you're
    your yours yourself""".split()
)
# Characters of function words: a pair that holds one of them says little, and no name holds one.
FUNCTION_CHARACTERS = frozenset(
    "的了是在不有我他她它你您这那一就也都还很把被着过地得和与而且但却又再才只从到对为以于之其所则或者及并让使给向往"
    "吗呢吧啊呀哦嗯么什怎哪谁每些个们没别只太更最已曾将要会能可该应因此如若虽然后前时候里外上下中去来起出进回说道"
    "看想知觉问答听见走站坐拿放推打开关笑哭叫喊声像似般样点次下儿子头边面手眼心事情话句"
    "這還過與卻從對為並讓給嗎麼誰個們別沒將會應該雖後時裡來進說覺問聽見開關聲樣點兒頭邊話"
)
_NO_NAME = frozenset(
    "自己 那么 这么 什么 没有 突然 忽然 于是 因为 所以 虽然 但是 可是 如果 今天 明天 昨天 晚上 早上 现在 终于 只是 还是 "
    "已经 仍然 依然 或许 也许 大约 似乎 仿佛 不过 然而 后来 接着 随后 最后 当时 一切 众人 大家 几乎 甚至 直到 除了 关于 "
    "两人 二人 三人 对方 男人 女人 老人 少年 少女 孩子 窗外 门外 屋里 屋内 夜里 夜色 雨水 天色 天空 月光 阳光 风声 雨声 "
    "远处 身后 面前 身边 黑暗 沉默 空气 时间 声音 目光 高兴 高大 方向 方才 安静 安全 白色 白天 黄昏 金色 石头 马上 江水 "
    "温暖 平静 平时 明白 明亮 任何 任务 许多 许久 万一 常常 严肃 严重 周围 左右 成功 成为 路上 路边 水面 水声 水里 田野 "
    "全部 全身 从此 干净 容易 毛病 纪念 项目 汤碗 花园 花了 雷声 雷雨 和平 满意 满脸 古老 包括 包围 房间 房子 房门 牛奶 "
    "司机 司令 雪地 雪花 金属 车站 车厢 车窗 何况 何时 何必 常年 时而 段时 连忙 连续 习惯 向前 向来 步伐 步子 都市 温度 "
    "申请 姿势 鱼群 鱼缸 成年 戴着 宋体 庞大 熊熊 管理 卢比 莫名 经过 经常 曲折 解释 应该 祖母 祖父 祖宗 武器 文件 文字".split()
)
_SURNAMES = frozenset(
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎鲁韦昌马苗凤花方"
    "俞任袁柳鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于时傅皮卞齐康伍余元卜顾孟平黄穆萧尹姚邵湛汪祁毛禹狄米贝明臧计伏成"
    "戴谈宋茅庞熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾路娄危江童颜郭梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍虞万支柯管卢莫经房裘缪干解"
    "应宗丁宣邓郁单杭洪包诸左石崔吉龚程嵇邢裴陆荣翁荀羊惠甄曲封储靳段焦巴牧隗山谷车侯宓全班仰秋仲伊宫宁仇栾甘厉戎祖武符刘"
    "景詹束龙叶司韶黎薄印宿白怀蒲台从鄂索咸籍赖卓蔺屠蒙池乔阴胥能苍双闻莘党翟谭贡劳逄姬申扶堵冉宰郦雍璩桑桂濮牛寿通边"
    "燕冀郏浦尚农温别庄晏柴瞿阎充慕连茹习宦艾鱼容向古易慎戈廖庾终暨居衡步都耿满弘匡国文寇广禄阙东欧殳沃利蔚越夔隆师巩"
    "趙錢孫吳鄭馮陳褚衛蔣楊許呂張嚴華謝鄒竇蘇範魯韋馬鳳賀羅畢鄔樂時傅齊餘顧黃蕭貝計談龐紀項藍閔賈婁顏駱樊淩盧葉劉龍喬"
    "陰鬱譚勞申堵燕滿廣闕歐東師鞏聶鐘鍾溫莊閻連習艾簡龔陸榮車"
    "阿小老"
)


def terms(text: str) -> list[str]:
    """Return the content words of a text: stemmed words, and pairs of ideographs without function characters."""
    found: list[str] = []
    for match in _LATIN.finditer(text):
        word = match.group().replace("’", "'").lower()
        if word not in STOPWORDS and len(word) > 2:
            found.append(_stem(word.removesuffix("'s")))
    for match in _CJK_RUN.finditer(text):
        run = match.group()
        for first, second in pairwise(run):
            if first not in FUNCTION_CHARACTERS and second not in FUNCTION_CHARACTERS:
                found.append(first + second)
    return found


def names(texts: Iterable[str]) -> list[str]:
    """Return the names that recur in these sentences, the most frequent first; at most five."""
    all_texts = list(texts)
    counts = _latin_names(all_texts) + _chinese_names(all_texts)
    return [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))][:5]


def _stem(word: str) -> str:
    """Cut the commonest endings, so that "crosses", "crossed" and "crossing" meet."""
    for ending in ("ing", "ed", "es", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def _latin_names(texts: list[str]) -> Counter[str]:
    """Words that are always written with a capital, also inside sentences, and more than once."""
    capital: Counter[str] = Counter()
    small: set[str] = set()
    for text in texts:
        for match in _LATIN.finditer(text):
            word = match.group().replace("’", "'")
            if word[0].islower():
                small.add(word)
            elif not word.isupper() or len(word) > 3:
                capital[word.removesuffix("'s")] += 1
    ordinary = small | STOPWORDS
    return Counter({w: n for w, n in capital.items() if n > 1 and len(w) > 2 and w.lower() not in ordinary})


def _chinese_names(texts: list[str]) -> Counter[str]:
    """Pairs and triples that often begin a clause, as subjects do, and begin with a surname."""
    starts: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    things = {match[1] for text in texts for match in _COUNTED.finditer(text)}
    for text in texts:
        for match in _CJK_RUN.finditer(text):
            run = match.group()
            starts[run[:2]] += 1
            starts[run[:3]] += 1
            pairs.update(run[i : i + 2] for i in range(len(run) - 1) if run[i] in _SURNAMES)
            pairs.update(run[i : i + 3] for i in range(len(run) - 2) if run[i] in _SURNAMES)
    found: Counter[str] = Counter()
    longer: dict[str, str] = {}  # each pair's most frequent continuation
    for gram, count in pairs.items():
        if len(gram) == 3 and count > pairs[longer.get(gram[:2], "")]:
            longer[gram[:2]] = gram
    for pair in (gram for gram in pairs if len(gram) == 2):
        if pairs[pair] < 2 or starts[pair] < 1 or pair in _NO_NAME | things or not FUNCTION_CHARACTERS.isdisjoint(pair):
            continue
        triple = longer.get(pair, "")
        always = pairs[triple] >= 0.8 * pairs[pair] and triple[2:] not in FUNCTION_CHARACTERS
        found[triple if always else pair] = pairs[pair] + starts[pair]
    return found
