//! What the invented shop sells: sixty products of six departments, in English and Chinese, each with something to praise
//! and something to grumble about.

/// A product.
pub(super) struct Item {
    pub sku: &'static str,
    pub name: &'static str,
    /// What a customer calls it, in the singular, without an article.
    pub noun: &'static str,
    pub noun_zh: &'static str,
    /// Price in euro cents.
    pub cents: u32,
    /// Clauses about the item, with a subject of their own and without a full stop.
    pub good: &'static str,
    pub bad: &'static str,
    pub good_zh: &'static str,
    pub bad_zh: &'static str,
}

/// A department: the part of the catalogue one persona shops in.
pub(super) struct Department {
    pub name: &'static str,
    pub items: [Item; 10],
}

#[expect(clippy::too_many_arguments, reason = "one line a product keeps the catalogue readable as the table it is")]
const fn item(
    sku: &'static str,
    name: &'static str,
    noun: &'static str,
    noun_zh: &'static str,
    cents: u32,
    good: &'static str,
    bad: &'static str,
    good_zh: &'static str,
    bad_zh: &'static str,
) -> Item {
    Item { sku, name, noun, noun_zh, cents, good, bad, good_zh, bad_zh }
}

#[rustfmt::skip]
pub(super) const COFFEE: Department = Department { name: "Coffee", items: [
    item("HH-1001", "Tern Hand Grinder", "hand grinder", "手摇磨豆机", 6490, "the grind is even from coarse to espresso", "the crank slips when the beans are dark and oily", "从粗到细都磨得很均匀", "磨深烘的豆子时摇柄会打滑"),
    item("HH-1002", "Gullwing Pour-Over Kettle", "gooseneck kettle", "细嘴手冲壶", 7900, "the spout pours a thin steady stream", "the handle gets hot after the second brew", "出水又细又稳", "冲第二壶时把手就烫手了"),
    item("HH-1003", "Anchor Stovetop Moka Pot", "moka pot", "摩卡壶", 3490, "the crema is thick for a stovetop brewer", "the gasket leaks steam around the base", "萃出来的油脂很厚", "底座的垫圈总是漏气"),
    item("HH-1004", "Slow Tide Cold Brew Jar", "cold brew jar", "冷萃壶", 2790, "the mesh keeps every bit of sediment out", "the lid drips when you pour the last cup", "滤网细到一点渣都没有", "倒最后一杯时盖子会漏"),
    item("HH-1005", "Harbour House Espresso Beans 1 kg", "bag of espresso beans", "意式咖啡豆", 2350, "the roast date was only five days ago", "the roast was oily and tasted burnt", "烘焙日期才过了五天", "豆子出油，喝起来有焦苦味"),
    item("HH-1006", "Hillside Single Origin Ethiopia 250 g", "bag of Ethiopian beans", "埃塞俄比亚单品豆", 1290, "you really taste blueberry and jasmine in the cup", "the beans were stale and the bloom was flat", "蓝莓和茉莉的香气很明显", "豆子不新鲜，闷蒸时完全不鼓包"),
    item("HH-1007", "Paper Cone Filters, 200", "box of paper filters", "咖啡滤纸", 790, "there is no papery taste after a quick rinse", "the seams burst halfway through the drawdown", "冲洗一下就没有纸味", "冲到一半滤纸就裂开了"),
    item("HH-1008", "Pebble Ceramic Dripper", "ceramic dripper", "陶瓷滤杯", 2490, "the ribs let the water drain at just the right speed", "the glaze chipped and brewing takes forever", "导流筋设计得好，流速正合适", "釉面磕掉一块，而且流速太慢"),
    item("HH-1009", "Keel Coffee Scale", "brewing scale", "咖啡电子秤", 4490, "the timer starts with the first drop of coffee", "the reading drifts while I am still pouring", "第一滴咖啡落下就自动计时", "注水的时候读数一直飘"),
    item("HH-1010", "Foghorn Milk Frother", "milk frother", "奶泡机", 5290, "the foam is fine enough for latte art", "the milk comes out lukewarm and full of big bubbles", "奶泡细腻到可以拉花", "打出来的奶不热，泡也很粗"),
] };

#[rustfmt::skip]
pub(super) const TRAIL: Department = Department { name: "Trail", items: [
    item("HH-2001", "Scree Trail Shoes", "pair of trail shoes", "越野跑鞋", 12900, "the lugs bite into mud and wet rock", "the sole came loose after eighty kilometres", "泥地和湿石头上抓地都很稳", "才跑了八十公里鞋底就开胶"),
    item("HH-2002", "Ridgeline 28 L Pack", "hiking pack", "登山背包", 10900, "the hip belt carries the weight on long climbs", "the straps dig into my shoulders on the descent", "腰带承重好，爬坡很省力", "下坡的时候肩带勒得生疼"),
    item("HH-2003", "Squall Rain Shell", "rain shell", "冲锋衣", 14900, "the rain just beads off on an exposed summit", "the seams soak through within an hour of rain", "山顶大雨里水珠一抖就掉", "下一个小时雨接缝处就渗水"),
    item("HH-2004", "Cairn Trekking Poles", "pair of trekking poles", "登山杖", 6900, "the locks hold even when I lean on them downhill", "one pole collapsed on a steep scramble", "下坡整个人压上去锁扣也不滑", "走陡坡时有一根突然缩了回去"),
    item("HH-2005", "Marlin Hydration Vest", "hydration vest", "越野水袋背心", 8900, "it does not bounce at all when I run downhill", "the bladder hose tastes of plastic and leaks", "下坡跑起来一点也不晃", "水袋的吸管有塑料味还漏水"),
    item("HH-2006", "Merino Trail Socks, 2 pairs", "set of merino socks", "美利奴徒步袜", 2690, "I had no blisters after thirty kilometres", "the heels wore through on one long hike", "走了三十公里也没起水泡", "走一次长线脚跟就磨破了"),
    item("HH-2007", "Lantern Headlamp 400", "headlamp", "头灯", 4590, "the beam lights up the whole trail before dawn", "the battery died in the middle of a night run", "天没亮也能照清整条山路", "夜跑到一半就没电了"),
    item("HH-2008", "Driftwood Two-Person Tent", "tent", "双人帐篷", 24900, "it stood firm through a windy night on the pass", "the poles bent in the first gust of wind", "垭口刮了一夜大风也没事", "第一阵大风就把帐杆吹弯了"),
    item("HH-2009", "Tarn Water Filter", "water filter", "户外滤水器", 3990, "stream water comes out clear and without any taste", "the flow was down to a trickle by the second camp", "溪水滤出来清澈没有异味", "第二个营地就堵得只滴水"),
    item("HH-2010", "Gaiters for Mud and Snow", "pair of gaiters", "防雪套", 3290, "they keep scree and snow out of my boots", "the buckle snapped on the first muddy ridge", "碎石和雪都进不了靴子", "第一次走泥路扣子就断了"),
] };

#[rustfmt::skip]
pub(super) const FAMILY: Department = Department { name: "Little Ones", items: [
    item("HH-3001", "Beech Wooden Train Set", "wooden train set", "木制小火车", 4990, "the tracks fit together well for small hands", "the magnets fell out and my toddler nearly swallowed one", "轨道好拼，小手也能装上", "磁铁掉了出来，差点被宝宝吞下去"),
    item("HH-3002", "Otter Bath Toys", "set of bath toys", "洗澡玩具", 1490, "bath time has stopped being a fight", "mould grew inside them within weeks", "宝宝终于愿意洗澡了", "没几周里面就发霉了"),
    item("HH-3003", "Cloud Baby Carrier", "baby carrier", "婴儿背带", 8900, "the baby falls asleep in it within minutes", "the straps hurt and the baby cried every time", "宝宝背上几分钟就睡着", "肩带勒人，宝宝一背就哭"),
    item("HH-3004", "Puddle Rain Boots for Kids", "pair of kids' rain boots", "儿童雨靴", 2490, "my daughter can pull them on by herself", "they split at the ankle after a month of nursery", "女儿自己就能穿上", "上幼儿园穿了一个月脚踝处就裂了"),
    item("HH-3005", "Rainbow Stacking Blocks", "set of stacking blocks", "彩虹积木", 2990, "the kids build towers with it every afternoon", "the paint came off when our son chewed a block", "孩子每天下午都要搭高塔", "宝宝啃了一口漆就掉了"),
    item("HH-3006", "Moonbeam Night Light", "night light for the nursery", "儿童小夜灯", 2190, "our little one sleeps through with it on", "it hums so loudly that the baby wakes up", "开着它孩子一觉睡到天亮", "嗡嗡响，把宝宝都吵醒了"),
    item("HH-3007", "Pocket Stroller", "folding stroller", "折叠婴儿车", 18900, "it folds with one hand while I hold the baby", "the front wheel jams on every kerb", "一只手抱娃一只手就能收车", "每次过路沿前轮都会卡住"),
    item("HH-3008", "Farmyard Puzzle, 48 Pieces", "farmyard puzzle", "农场拼图", 1690, "it kept a four-year-old busy for a whole rainy day", "two pieces were missing and there were tears", "四岁的孩子能玩一整个下雨天", "少了两块，孩子急得直哭"),
    item("HH-3009", "Silicone Weaning Set", "weaning bowl set", "宝宝辅食碗", 2290, "the bowl sticks to the high chair and stays there", "our baby tore the suction bowl off on day one", "吸盘牢牢吸在餐椅上", "第一天就被宝宝掀翻了"),
    item("HH-3010", "Woolly Bear Soft Toy", "teddy bear", "毛绒小熊", 2590, "my son will not go to bed without it any more", "an eye came off, which is not safe for a toddler", "儿子现在没有它就不肯睡", "眼睛掉了一只，对小孩不安全"),
] };

#[rustfmt::skip]
pub(super) const OFFICE: Department = Department { name: "Home Office", items: [
    item("HH-4001", "Pier Standing Desk", "standing desk", "升降桌", 44900, "it goes up and down quietly during video calls", "the desktop wobbles at standing height when I type", "开视频会议时升降也很安静", "站着打字的时候桌面会晃"),
    item("HH-4002", "Lumbar Mesh Chair", "mesh office chair", "人体工学椅", 28900, "my lower back no longer aches after eight hours", "the armrests are loose and the gas lift sinks", "坐八个小时腰也不酸", "扶手松动，气杆还会自己下降"),
    item("HH-4003", "Lighthouse Monitor Arm", "monitor arm", "显示器支架", 8900, "it holds my 32-inch screen without sagging", "the clamp scratched the desk and the screen tilts", "三十二寸的显示器也稳稳托住", "夹子刮花桌面，屏幕老往下垂"),
    item("HH-4004", "Quiet Keys Mechanical Keyboard", "mechanical keyboard", "机械键盘", 11900, "the switches are quiet enough for meetings", "the space bar sticks and Bluetooth drops daily", "轴体安静，开会打字也不吵", "空格键卡键，蓝牙天天断连"),
    item("HH-4005", "Focus Noise-Cancelling Headset", "noise-cancelling headset", "降噪耳机", 15900, "colleagues hear me clearly over the traffic", "the microphone cuts out in every video call", "马路再吵同事也能听清我说话", "每次视频会议麦克风都会断"),
    item("HH-4006", "Dock 11-in-1 USB-C Hub", "USB-C dock", "扩展坞", 9900, "one cable connects my laptop to two monitors", "the second monitor flickers and the ports run hot", "一根线就能接两台显示器", "第二块屏幕老闪，接口还发烫"),
    item("HH-4007", "Daylight Desk Lamp", "desk lamp", "护眼台灯", 5900, "there is no glare on the screen in the evening", "the light flickers on camera", "晚上屏幕上也没有反光", "摄像头里看灯光一直闪"),
    item("HH-4008", "Clear View Webcam 2K", "webcam", "高清摄像头", 7900, "my face is sharp even in a dim study", "the picture freezes whenever I share my screen", "书房光线暗画面也清楚", "一共享屏幕画面就卡住"),
    item("HH-4009", "Glide Vertical Mouse", "vertical mouse", "垂直鼠标", 4990, "my wrist pain was gone within two weeks", "the cursor jumps on any glossy surface", "用了两周手腕就不疼了", "光滑一点的桌面指针就乱跳"),
    item("HH-4010", "Tidy Cable Tray", "cable tray", "理线槽", 2990, "every charger and power strip is out of sight", "the screws strip and the tray sags under one adapter", "充电器和插排全都藏起来了", "螺丝滑丝，放个适配器就往下坠"),
] };

#[rustfmt::skip]
pub(super) const GARDEN: Department = Department { name: "Garden", items: [
    item("HH-5001", "Heron Bypass Secateurs", "pair of secateurs", "修枝剪", 3990, "it cuts rose stems cleanly without crushing them", "the blades went blunt after one hedge", "剪月季枝条干净利落", "修完一排树篱刀口就钝了"),
    item("HH-5002", "Terracotta Pot Trio", "set of terracotta pots", "红陶花盆", 4490, "the drainage holes keep the roots healthy", "the first frost cracked two of the pots", "底孔排水好，根系很健康", "第一次霜冻就裂了两个"),
    item("HH-5003", "Cottage Wildflower Seed Mix", "wildflower seed mix", "野花种子", 890, "the whole border was full of poppies and bees by June", "hardly a seed germinated in good soil", "六月花坛里全是虞美人和蜜蜂", "土很好却几乎没有发芽"),
    item("HH-5004", "Deep Root Watering Can", "watering can", "浇水壶", 2890, "the rose gives a soft rain that never flattens seedlings", "the spout drips all over the greenhouse bench", "花洒出水柔和，不会冲倒小苗", "壶嘴滴得温室台子上到处是水"),
    item("HH-5005", "Raised Bed Kit in Larch", "raised bed kit", "落叶松种植箱", 11900, "we have grown lettuce and carrots in it since April", "the boards warped as soon as the soil was in", "四月起就在里面种生菜和胡萝卜", "一填土木板就变形了"),
    item("HH-5006", "Oak Handled Garden Fork", "garden fork", "花园叉", 4590, "it turns heavy clay without bending a tine", "a tine bent on the first stone in the flower bed", "翻黏土也不弯齿", "花坛里碰到第一块石头就弯了"),
    item("HH-5007", "Heirloom Tomato Seedlings", "tray of tomato seedlings", "番茄苗", 1490, "every plant took and we are picking fruit already", "half the seedlings had wilted in the box", "每一棵都活了，已经开始结果", "有一半的苗在箱子里就蔫了"),
    item("HH-5008", "Seaweed Plant Feed 1 L", "bottle of plant feed", "海藻肥", 1290, "the leaves turned deep green in a fortnight", "it clogged the sprayer and did nothing for the roses", "两周叶子就变得油绿", "堵喷壶，月季一点起色都没有"),
    item("HH-5009", "Thorn Proof Gloves", "pair of garden gloves", "防刺园艺手套", 1990, "brambles and rose thorns do not get through", "thorns went straight through the palm", "荆棘和月季刺都扎不进来", "刺直接扎穿了手掌"),
    item("HH-5010", "Compost Bin 300 L", "compost bin", "堆肥桶", 7900, "the kitchen peelings are crumbly compost by spring", "the lid blows off and the compost never warms up", "厨余到春天就成了松软的堆肥", "盖子一刮风就飞，堆肥也不发热"),
] };

#[rustfmt::skip]
pub(super) const BAKING: Department = Department { name: "Kitchen", items: [
    item("HH-6001", "Cast Iron Bread Pot", "cast iron bread pot", "铸铁面包锅", 8900, "the sourdough crust comes out blistered and crisp", "the enamel chipped and the loaf sticks to the bottom", "欧包外皮烤得又脆又有气泡", "珐琅掉了，面包总粘底"),
    item("HH-6002", "Rattan Proofing Basket", "proofing basket", "藤编发酵篮", 1890, "the dough releases cleanly and keeps its rings", "wet dough glues itself to the cane", "面团脱模干净，纹路也漂亮", "湿一点的面团就粘在藤条上"),
    item("HH-6003", "Planet Stand Mixer", "stand mixer", "厨师机", 32900, "it kneads a stiff brioche dough without straining", "the motor overheats with a kilo of bread dough", "揉硬一点的布里欧修面团也不吃力", "揉一公斤面团电机就过热"),
    item("HH-6004", "Stoneground Bread Flour 5 kg", "sack of bread flour", "石磨高筋面粉", 1390, "the gluten is strong and the crumb stays open", "the flour was full of lumps and the loaves came out dense", "筋度高，面包组织很蓬松", "面粉结块，烤出来的面包发硬"),
    item("HH-6005", "Copper Jam Pan", "jam pan", "铜果酱锅", 9900, "the marmalade sets in half the time", "the jam scorched in the middle straight away", "熬果酱时间省了一半", "中间一下子就糊锅了"),
    item("HH-6006", "Springform Cake Tin", "springform cake tin", "活底蛋糕模", 1990, "the sponge comes out with sharp clean sides", "batter leaks out of the base into the oven", "戚风脱模边缘整整齐齐", "面糊从底部漏得烤箱里都是"),
    item("HH-6007", "Santoku Kitchen Knife", "kitchen knife", "三德刀", 7490, "it slices ripe tomatoes and onions paper thin", "the edge chipped on a pumpkin", "切番茄洋葱薄得像纸", "切个南瓜就崩刃了"),
    item("HH-6008", "Oven Thermometer", "oven thermometer", "烤箱温度计", 1290, "I finally know how hot my oven really is", "it was twenty degrees off and burnt a batch of macarons", "终于知道烤箱的真实温度", "差了二十度，烤糊一盘马卡龙"),
    item("HH-6009", "Vanilla Pods, 10", "tin of vanilla pods", "香草荚", 1790, "the custard smells wonderful and is full of seeds", "the pods were dry as twigs with no aroma", "卡仕达酱香得不得了，全是香草籽", "干得像树枝，一点香味都没有"),
    item("HH-6010", "Silicone Pastry Mat", "pastry mat", "硅胶揉面垫", 1690, "the pie crust rolls out without any extra flour", "it slides around the counter while I roll the dough", "擀派皮不用撒粉也不粘", "擀面的时候在台面上到处滑"),
] };

/// All departments, in the personas' order.
pub(super) const DEPARTMENTS: [&Department; 6] = [&COFFEE, &TRAIL, &FAMILY, &OFFICE, &GARDEN, &BAKING];
