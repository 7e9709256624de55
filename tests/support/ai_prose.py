"""Scenes written for these tests: Chinese and English, narration and talk, as they stand in novels."""

LIGHTHOUSE = """
Alice reached the lighthouse an hour before dark, with the storm already standing over the bay like a wall. The path had
been washed out in two places, and she had carried the lamp oil on her back the whole way because the mule would not
cross the second gap. Nobody had tended the light since Mr. Penrose fell ill in March.

The door was unlocked. Inside, the air smelled of salt and mice, and a coat still hung on its hook as if its owner had
only gone out to look at the weather.

"Hello?" she called. "Is anyone here?"

There was no answer, only the wind feeling its way round the tower. She lit a candle and began to climb. On the ninth
step from the top she stopped. Someone had chalked a line of numbers on the wall, and the chalk was fresh; it came off on
her thumb. They were dates. The last of them was tomorrow's.

"You shouldn't have come, Miss Alice," said a voice above her.

Dr. Hale was sitting in the lamp room with a blanket round his shoulders and a rifle across his knees. He looked as
though he had not slept for a week. Behind him the great lens stood dark, and one of its panes had been broken from the
inside.

"They told me the light was out," Alice said. "They told me you had gone to the mainland."

"I told them to say so." He did not lower the rifle. "There is a ship coming, and it must not find this rock. Do you
understand? If that lamp burns tonight, they will land."

She thought of the three fishing boats that had put out at noon, her brother's among them, and of the reef that lay
between them and the harbour. Without the light they would be on the stones before midnight. She set the can of oil down
on the boards, very gently, so that it made no sound.

"My brother is out there," she said.

"So is mine," said Dr. Hale, "and he is on the other ship."

For a long moment neither of them moved. Then the first rain struck the glass, and somewhere out on the black water a
horn sounded, once, and was answered. Alice took the matches from her pocket. The doctor raised the rifle, looked along
it at her face, and began, quite silently, to weep. He was still weeping when she walked past him and lit the lamp.
"""

MARKET = """
I had sold four baskets of plums by nine o'clock, which was three more than my father had ever sold in a morning, and I
was beginning to think the whole trade was a kind of magic that had skipped him and come straight to me. The square was
packed. It was the last market before the feast, and people who had not spoken to one another since Easter stood elbow to
elbow, arguing about the price of eggs.

That was when I saw the boy. He could not have been more than ten, and he was wearing a soldier's coat with the sleeves
rolled to the elbow, and he was stealing from old Bob. He did it well. He would pick up a pear, frown at it like a
housewife, put it back, and somehow there would be one pear fewer in the heap.

"Are you going to shout?" he asked me, without turning his head.

"I haven't decided," I said.

"Only if you are going to shout, I'd rather you did it now. I've a long way to go."

I ought to have shouted. Bob was half blind and had been kind to me when my mother died, and pears were dear that year.
But there was something about the coat. There was a hole in it, just under the collar, and somebody had darned the hole
with red thread, very neatly, the way my mother used to darn. My brother had gone to the war in such a coat.

I bought six pears from Bob, at his own price, and put them into the boy's pockets myself. Then I asked him where he had
got the coat. He told me that he had it from a sergeant at the river, a tall man who sang, who had given it to him because
a dead man, he said, does not feel the cold.

I left the plums standing where they were. I took the boy by the rolled-up sleeve, and we set out for the river together
before the bells had finished ringing noon.
"""

TALK = """
"You're late," Olga said.

"The bridge is closed."

"The bridge has been closed since Tuesday, Bob. What happened to your hand?"

He looked at it as if somebody had just given it to him. "It's nothing. A door."

"A door with teeth?" She pulled out the chair beside her with her foot. "Sit down. Let me see it."

The bite went clean through the palm. Olga had been a nurse for eleven years, and she had seen what dogs did, and what
drunk men did, and this was neither. She washed the wound with brandy while he talked about the weather.

"Bob," she said at last, "whose blood is on your shirt?"

"I thought it was mine."

"There's too much of it."

He began to laugh, and then he stopped. Outside, a car drew up with its lights off. Neither of them had heard it come.

"I gave them your name," he said. "I'm sorry, Olga. I didn't have another one."

She had already put out the lamp. She took the pistol from the flour bin, where it had lain since her husband's funeral,
and pushed the brandy towards him across the dark table.

"Drink that," Olga said. "Then go and open the door, and smile."
"""

RAIN = """
　　雨下到第三天，林晚终于在旧书店的阁楼里找到了父亲的那只铁盒。盒子锈得厉害，锁早已断了，上面还缠着一圈褪色的红绳。她把它抱到窗边，借着
灰蒙蒙的天光一点一点把盖子撬开。
　　里面没有钱，也没有她以为会有的信，只有一张船票和半枚铜钥匙。船票是二十年前的，从江城到望海，日期正是父亲失踪的那一天。
　　“找到了？”楼下传来老板的声音。
　　“找到了。”林晚说，“可是看不懂。”
　　老周拄着拐杖慢慢爬上来，在她身边坐下，看了那张船票很久。窗外的雨顺着瓦缝漏进来，滴在两人之间的木地板上，嗒，嗒，嗒。
　　“他没有上船。”老周忽然说，“那天我在码头等了他一夜。船开的时候，他的位子是空的。”
　　林晚抬起头。二十年来，所有人都告诉她，父亲是坐船走的，走得干干净净，连一句话也没有留下。母亲就是抱着这个念头死的。
　　“那他去了哪里？”
　　老周没有回答。他从怀里摸出另外半枚铜钥匙，放在她的手心里。两半钥匙合在一起，严丝合缝，上面露出三个小字：听雨楼。
　　“我答应过他，除非你自己找到盒子，否则一个字也不说。”老周的声音很轻，“听雨楼在镇子北边，二十年前就封了。你要是去，天黑之前一定要
出来。”
　　林晚把钥匙攥紧，攥得掌心生疼。她想起母亲临终前反复念叨的那句话，当时她以为是胡话，现在才明白，母亲说的是“听雨”。她站起身，没有拿伞，
一头扎进了雨里。
"""

SWORD = """
黃昏時分，沈青崖獨自走進了斷雲寨。寨門大開，門前的石階上落滿了松針，卻連一個守衛也沒有。他把手按在劍柄上，放慢了腳步。

「沈大俠來得好早。」

說話的是個紅衣女子，坐在聚義廳的虎皮椅上，正低頭剝一枚橘子。她身後站著十二名刀客，人人蒙面，人人的刀都已出鞘。

「我師弟在哪裡？」沈青崖問。

「急什麼。」女子把橘子掰成兩半，「你先把東西交出來，我自然把人還給你。」

沈青崖從懷中取出一卷羊皮，攤在地上。那是師父臨終前交給他的劍譜，江湖上為了它，三十年來死了不下百人。女子的眼睛亮了一下，身子卻沒有動。

「你就這麼放在地上？」

「一卷死人的東西，放在哪裡都一樣。」

女子忽然笑了。她拍了拍手，兩名刀客從後堂押出一個少年，少年滿臉是血，看見沈青崖，張了張嘴，卻發不出聲音——他的舌頭已經被人割去了。

沈青崖慢慢閉上了眼睛。等他再睜開的時候，廳裡的十二把刀已經斷了七把，紅衣女子的橘子滾落在地，上面插著半截劍尖。沒有人看清他是怎樣出的手。

沈青崖背起師弟，一步一步走出了寨門，身後的聚義廳裡，羊皮劍譜正在火盆裡慢慢捲成一團焦黑。
"""

INTERVIEW = """
我第一次见到顾言，是在人才市场三楼的面试间里。空调坏了，所有人都在流汗，只有他穿着一件灰色的羊毛衫，扣子一直扣到领口，好像他自带一个冬天。

“你为什么想来我们公司？”我照着表格问他。

“因为你们招人。”

“还有呢？”

“没有了。”他想了想，又补充了一句，“还有，离医院近。”

我在表格上打了一个叉，然后不知道为什么，又把它涂掉了。后来我常常想，如果那天我没有把那个叉涂掉，我的人生会不会是另外一个样子。

顾言入职以后，很快成了全公司最奇怪的人。他每天准时下班，从不聚餐，手机里没有任何社交软件。他写的代码干净得像教科书，可是没有人愿意和他一组，因为
他从来不解释。有一次服务器在凌晨三点崩了，全组的人都在群里骂娘，只有他一声不响地打车赶到机房，修好，然后坐在地板上睡着了。

那天晚上我也在。我给他买了一杯豆浆，他接过去，捂在手里，一直没有喝。

“我妹妹喜欢喝这个。”他说。

那是我第一次听他提起家里的人。我问他妹妹多大了，他说十九，在对面那家医院里，已经睡了四年。窗外的天一点一点亮起来，我忽然明白了他为什么穿着那件毛衣，
为什么准时下班，又为什么要选一家离医院近的公司。毛衣的领口上绣着两个很小的字，针脚歪歪扭扭，是一个女孩子的名字。
"""

CHINESE_SCENES = {"rain": RAIN, "sword": SWORD, "interview": INTERVIEW}
ENGLISH_SCENES = {"lighthouse": LIGHTHOUSE, "market": MARKET, "talk": TALK}
ALL = CHINESE_SCENES | ENGLISH_SCENES
PROTAGONISTS = {"rain": "林晚", "sword": "沈青崖", "interview": "顾言", "lighthouse": "Alice", "talk": "Olga"}
