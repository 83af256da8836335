"""Emoji by name, in English and in Chinese; each is one character that all terminals get right."""

from collections.abc import Iterator
from functools import cache
from typing import Final

__all__ = ["emoji_called", "emoji_for"]

_TABLE: Final = """
😀 grinning 笑 嘿嘿        😃 smiley 开心            😄 smile 大笑             😁 grin 嘻嘻
😆 laughing 哈哈          😅 sweat_smile 苦笑汗     🤣 rofl 笑倒              😂 joy 笑哭
🙂 slight_smile 微笑      🙃 upside_down 倒脸       😉 wink 眨眼              😊 blush 害羞
😇 innocent 天使          🥰 hearts_face 喜爱       😍 heart_eyes 花痴        😘 kiss 飞吻
😋 yum 好吃               😛 tongue 吐舌            😜 crazy 调皮             🤪 zany 疯癫
🤔 thinking 思考 想       🤨 raised_eyebrow 怀疑    😐 neutral 面无表情       😑 expressionless 无语
😶 no_mouth 沉默          🙄 roll_eyes 白眼         😏 smirk 得意             😬 grimace 尴尬
🤥 lying 说谎             😌 relieved 松口气        😔 pensive 失落           😴 sleeping 睡觉 困
😷 mask 口罩              🤒 thermometer 发烧       🤕 hurt 受伤              🤢 nauseated 恶心
🤧 sneezing 喷嚏          🥵 hot 热                 🥶 cold 冷                🤯 mind_blown 爆炸头
😎 cool sunglasses 酷     🤓 nerd 书呆子            🧐 monocle 打量           😕 confused 困惑
😟 worried 担心           🙁 frown 不高兴           😮 open_mouth 惊讶        😲 astonished 震惊
🥺 pleading 求求          😨 fearful 害怕           😰 anxious 冷汗           😢 cry 流泪
😭 sob 大哭               😱 scream 尖叫            😖 confounded 纠结        😞 disappointed 失望
😩 weary 累               😤 triumph 哼             😡 rage 怒                😠 angry 生气
🤬 swearing 骂人          😈 devil 恶魔             💀 skull 骷髅             💩 poop 便便
🤡 clown 小丑             👻 ghost 鬼               👽 alien 外星人           🤖 robot bot 机器人
😺 cat_smile 猫笑         🙈 see_no_evil 不看       🙉 hear_no_evil 不听      🙊 speak_no_evil 不说
💋 lips 唇                💌 love_letter 情书       💘 cupid 丘比特           💔 broken_heart 心碎
💕 two_hearts 双心        💖 sparkling_heart 闪心   💙 blue_heart 蓝心        💚 green_heart 绿心
💛 yellow_heart 黄心      💜 purple_heart 紫心      🖤 black_heart 黑心       💯 100 hundred 满分
💢 anger 怒气             💥 boom 爆炸              💦 sweat 汗               💨 dash 溜
💤 zzz 睡                 👋 wave hello 挥手 再见   🤚 raised_hand 举手       👌 ok_hand 好的
🤏 pinch 一点点           🤞 fingers_crossed 祝好运 🤟 love_you 爱你手势      🤘 metal 摇滚
🤙 call_me 打电话         👈 point_left 左          👉 point_right 右         👆 point_up 上
👇 point_down 下          👍 +1 thumbsup 赞 好      👎 -1 thumbsdown 踩 差    ✊ fist 拳头
👊 punch 击拳             👏 clap 鼓掌              🙌 raised_hands 欢呼      👐 open_hands 张手
🤲 palms_up 捧            🤝 handshake 握手 合作    🙏 pray please 拜托 谢谢  💪 muscle strong 加油
🧠 brain 脑               👀 eyes 看                👶 baby 宝宝              👩 woman 女
👨 man 男                 👴 old_man 爷爷           👵 old_woman 奶奶         🙅 no_good 不行
🙆 ok_woman 可以          🙋 raising_hand 我        🤦 facepalm 捂脸          🤷 shrug 耸肩
💃 dancer 跳舞            🏃 runner 跑              🐶 dog 狗                 🐱 cat 猫
🐭 mouse 鼠               🐰 rabbit 兔              🦊 fox 狐狸               🐻 bear 熊
🐼 panda 熊猫             🐯 tiger 老虎             🦁 lion 狮子              🐮 cow 牛
🐷 pig 猪                 🐸 frog 青蛙              🐵 monkey 猴              🐔 chicken 鸡
🐧 penguin linux 企鹅     🐦 bird 鸟                🦄 unicorn 独角兽         🐝 bee 蜜蜂
🐛 bug 虫 缺陷            🦋 butterfly 蝴蝶         🐌 snail 蜗牛             🐍 snake python 蛇
🐢 turtle 乌龟            🐙 octopus 章鱼           🐳 whale docker 鲸        🐟 fish 鱼
🐘 elephant 大象          🦀 crab rust 螃蟹         🌱 seedling 幼苗          🌲 tree 树
🍀 clover luck 四叶草     🌹 rose 玫瑰              🌻 sunflower 向日葵       🌈 rainbow 彩虹
🌙 moon 月亮              🌍 earth 地球             ⭐ star 星                🌟 glowing_star 闪星
✨ sparkles 闪亮          ⚡ zap 闪电               🔥 fire 火                🌊 ocean 海浪
⛄ snowman 雪人           🍎 apple 苹果             🍋 lemon 柠檬             🍌 banana 香蕉
🍉 watermelon 西瓜        🍇 grapes 葡萄            🍓 strawberry 草莓        🍑 peach 桃
🍅 tomato 番茄            🌽 corn 玉米              🍞 bread 面包             🧀 cheese 奶酪
🍔 burger 汉堡            🍕 pizza 披萨             🍜 noodles 面条           🍚 rice 米饭
🥟 dumpling 饺子          🍣 sushi 寿司             🍦 ice_cream 冰淇淋       🍰 cake 蛋糕
🎂 birthday 生日          🍫 chocolate 巧克力       🍿 popcorn 吃瓜 爆米花    ☕ coffee 咖啡
🍵 tea 茶                 🍺 beer 啤酒              🍻 cheers 干杯            🍷 wine 红酒
🧋 bubble_tea 奶茶        🍴 lunch fork 吃饭        ⚽ football soccer 足球   🏀 basketball 篮球
🎾 tennis 网球            🎮 game 游戏              🎯 target 目标            🎲 dice 骰子
🎵 music 音乐             🎸 guitar 吉他            🎤 microphone 唱歌        🎬 movie 电影
🎨 art 画                 🎁 gift 礼物              🎉 tada party 庆祝        🎊 confetti 彩球
🎈 balloon 气球           🎄 christmas 圣诞         🧧 red_envelope 红包      🏆 trophy 奖杯
🥇 gold first 金牌        🏅 medal 奖牌             🚀 rocket ship_it 火箭    🚗 car 车
🚌 bus 公交               🚲 bike 自行车            🚆 train 火车             🚄 high_speed 高铁
🛫 departure 起飞         🚢 ship 船                🚧 construction 施工      🚦 traffic 红绿灯
🏠 house home 家          🏢 office 公司            🏫 school 学校            🏥 hospital 医院
⏰ alarm 闹钟             ⌚ watch 手表             ⏳ hourglass 等           📱 phone 手机
💻 laptop 电脑            💾 floppy save 保存       📷 camera 照片            🔋 battery 电池
💡 bulb idea 主意         🔦 flashlight 手电        💰 money 钱               💳 card 银行卡
📈 chart_up 上涨          📉 chart_down 下跌        📊 bar_chart 图表         📅 calendar 日历
📌 pin 图钉               📎 paperclip 回形针       📝 memo note 笔记         📚 books 书
📦 package 包裹           📧 email 邮件             📣 megaphone 喇叭         🔔 bell 铃
🔍 search mag 搜索        🔑 key 钥匙               🔒 lock 锁                🔓 unlock 开锁
🔧 wrench fix 扳手 修     🔨 hammer 锤子            🔬 microscope 显微镜      🔗 link 链接
🧪 test_tube test 测试    💊 pill 药                🚪 door 门                🧹 broom 扫把 清理
✅ check done 完成 对     ❌ x cross 错             ❓ question 问号 问题     ❗ exclamation 感叹号
⛔ no_entry 禁止          🚫 forbidden 不准         🆗 ok 好                  🆕 new 新
🔴 red_circle 红点        🟢 green_circle 绿点      🟡 yellow_circle 黄点     🔵 blue_circle 蓝点
"""


@cache
def _names() -> list[tuple[str, str]]:
    """Pairs of a name and its emoji, in the order of the table."""
    found, emoji = [], ""
    for word in _TABLE.split():
        if not word[0].isalnum() and word[0] not in "+-":
            emoji = word
        else:
            found.append((word, emoji))
    return found


def emoji_called(name: str) -> str:
    """The emoji of exactly that name; empty where there is none."""
    return next((emoji for each, emoji in _names() if each == name.casefold()), "")


def emoji_for(typed: str) -> Iterator[str]:
    """Emoji called ``typed``, then those whose name begins so, then those that have it inside."""
    typed = typed.casefold()
    if not typed:
        return
    seen: set[str] = set()
    for fits in (str.__eq__, str.startswith, str.__contains__):
        for name, emoji in _names():
            if emoji not in seen and fits(name, typed):
                seen.add(emoji)
                yield emoji
