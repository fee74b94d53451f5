//! Names of persons in Chinese, best effort: a surname and one or two characters after words that announce a name (我叫, 收件人),
//! or before a title (先生, 女士). Without such a word nothing is taken for a name, so brands like 李宁 stay.

use super::name_words::{is_common_surname, surname_length};
use super::{Findings, push};
use crate::redact::Kind;
use crate::redact::view::{View, is_han};

/// Words before a name; the surer they are, the less the name has to look like one.
const TRIGGERS: [(&str, f32); 29] = [
    ("联系人", 0.9),
    ("收件人", 0.9),
    ("收货人", 0.9),
    ("购买人", 0.85),
    ("付款人", 0.85),
    ("寄件人", 0.9),
    ("户主", 0.8),
    ("户名", 0.85),
    ("姓名", 0.9),
    ("名字是", 0.85),
    ("名字叫", 0.85),
    ("我叫", 0.85),
    ("我的名字", 0.85),
    ("叫我", 0.65),
    ("本人", 0.65),
    ("我是", 0.65),
    ("请找", 0.6),
    ("请联系", 0.65),
    ("转交", 0.65),
    ("我姓", 0.85),
    ("姓", 0.6),
    ("署名", 0.8),
    ("签名", 0.7),
    ("落款", 0.8),
    ("称呼", 0.75),
    ("顾客", 0.5),
    ("会员", 0.5),
    ("昵称", 0.8),
    ("抄送", 0.6),
];
const TITLES: [&str; 14] =
    ["先生", "女士", "小姐", "老师", "师傅", "经理", "医生", "阿姨", "大哥", "大姐", "同学", "教授", "主任", "店长"];
/// What follows a name when it is over.
const ENDS: &str = "的收，。；：、！？,.;:!?)(（） \n是在和与电手先女小老师经你您说帮给来买介负推本人今从";
/// Words that look like a surname and a given name.
const NOT_NAMES: [&str; 47] = [
    "高中", "高兴", "高手", "白领", "老师", "学生", "华为", "小米", "明白", "方便", "万分", "黄金", "金牌", "钱包",
    "车主", "成都", "单位", "和你", "江苏", "安全", "于是", "关于", "任何", "向来", "常客", "温州", "全家", "全职",
    "来买", "来自", "都是", "解决", "花了", "花钱", "应该", "连续", "强烈", "时候", "许多", "安装", "查询", "马上",
    "周末", "方法", "程序", "金融", "石头",
];
/// Last characters of words for people and things rather than of names.
const NOT_LAST: &str = "收生客人粉丝妈爸员户家者们党族女男友迷控工了吗呢吧的号码款在是有时老";
/// Before a surname alone: words that end in it ("对于女士", "上周老师").
const JOINED: [&str; 18] = [
    "对于", "属于", "关于", "适于", "由于", "上周", "下周", "本周", "每周", "一周", "两周", "现金", "基金", "资金",
    "对方", "官方", "立马", "最高",
];
const MAX_BYTES: usize = 24;
const WINDOW: usize = 40;

pub fn find(view: &View, findings: &mut Findings) {
    for (at, c) in view.text().char_indices() {
        if !is_han(c) {
            continue;
        }
        let rest = view.window_after(at, MAX_BYTES);
        if let Some((trigger, base)) = TRIGGERS.iter().find(|(trigger, _)| rest.starts_with(trigger)) {
            after_trigger(view, at + trigger.len(), trigger, *base, findings);
        }
        if let Some(title) = TITLES.iter().find(|title| rest.starts_with(**title)) {
            before_title(view, at, title, findings);
        }
    }
}

fn after_trigger(view: &View, end: usize, trigger: &str, base: f32, findings: &mut Findings) {
    let text = view.window_after(end, WINDOW);
    let marks: usize = text.chars().take(3).take_while(|c| ": 是为叫\"“".contains(*c)).map(char::len_utf8).sum();
    let (name, start) = (&text[marks..], end + marks);
    let only_surname = trigger.ends_with('姓');
    let announced = base >= 0.8 || text.starts_with(':');
    let length = if only_surname {
        lone_surname(name)
    } else {
        full_name(name, announced).or_else(|| other_name(name, trigger))
    };
    if let Some(length) = length {
        push(findings, Kind::PersonName, start..start + length, base.max(if announced { 0.8 } else { 0.0 }));
    }
}

/// "我姓罗，": one surname and then an end.
fn lone_surname(name: &str) -> Option<usize> {
    surname_length(name).filter(|length| ends(&name[*length..]))
}

/// A surname with one or two characters. Only after a trigger that leaves no doubt may the sentence go straight on.
fn full_name(name: &str, announced: bool) -> Option<usize> {
    let surname = surname_length(name)?;
    let given: Vec<usize> = name[surname..]
        .char_indices()
        .take_while(|(_, c)| is_han(*c))
        .take(2)
        .map(|(at, c)| surname + at + c.len_utf8())
        .collect();
    let good = |end: &&usize| {
        let last = name[..**end].chars().next_back();
        !NOT_NAMES.iter().any(|word| name.starts_with(word)) && !last.is_some_and(|c| NOT_LAST.contains(c))
    };
    let ended = given.iter().rev().filter(good).find(|end| ends(&name[**end..]));
    let longest = || given.iter().rev().filter(good).find(|_| announced);
    ended.or_else(longest).copied()
}

/// "我叫Lily", "叫我小雅": a name in letters, or a pet name.
fn other_name(name: &str, trigger: &str) -> Option<usize> {
    let letters: usize = name.find(|c: char| !c.is_ascii_alphabetic() && c != ' ').unwrap_or(name.len());
    let latin = name[..letters].trim_end();
    if latin.len() > 1
        && latin.split(' ').count() <= 3
        && latin.split(' ').all(|word| word.starts_with(|c: char| c.is_ascii_uppercase()))
    {
        return (!super::name_words::is_no_name(latin) && latin.bytes().any(|byte| byte.is_ascii_lowercase()))
            .then_some(latin.len());
    }
    let pet = ["小", "阿"].iter().any(|pet| name.starts_with(pet)) && trigger.contains('叫');
    let length: usize = name.chars().take(2).take_while(|c| is_han(*c)).map(char::len_utf8).sum();
    let last = name[..length].chars().next_back()?;
    let next_ends = ends(&name[length..]) || name[length..].starts_with(['就', '吧']);
    (pet && length == 6
        && next_ends
        && !NOT_LAST.contains(last)
        && !NOT_NAMES.iter().any(|word| name.starts_with(word)))
    .then_some(length)
}

fn ends(rest: &str) -> bool {
    rest.chars()
        .next()
        .is_none_or(|c| ENDS.contains(c) || c.is_ascii() || TITLES.iter().any(|title| rest.starts_with(title)))
}

/// "王先生", "赵丽华老师": the longest of three characters that starts with a surname after a word's end, else a common surname.
fn before_title(view: &View, at: usize, title: &str, findings: &mut Findings) {
    let after = view.window_after(at + title.len(), 4);
    if after.starts_with(['们', '姐', '傅']) {
        return;
    }
    let before = view.window_before(at, WINDOW);
    let starts: Vec<usize> =
        before.char_indices().rev().take(4).take_while(|(_, c)| is_han(*c)).map(|(start, _)| start).collect();
    let full = starts.iter().rev().find(|start| is_full(before, **start));
    let lone = || starts.first().filter(|start| is_lone(before, **start));
    let in_sentence = || starts.get(1..starts.len().min(3))?.iter().rev().find(|start| is_common_full(before, **start));
    if let Some(start) = full.or_else(in_sentence).or_else(lone) {
        push(findings, Kind::PersonName, at - (before.len() - start)..at, 0.75);
    }
}

fn is_full(before: &str, start: usize) -> bool {
    let name = &before[start..];
    let Some(surname) = surname_length(name) else { return false };
    let n_given = name[surname..].chars().count();
    let boundary = before[..start]
        .chars()
        .next_back()
        .is_none_or(|c| !is_han(c) || "的找给请和跟与向对让由是叫谢系说问被把位了为见服人员".contains(c));
    let given_ends = name.chars().next_back().is_some_and(|c| !NOT_LAST.contains(c));
    (1..=2).contains(&n_given) && given_ends && boundary && !NOT_NAMES.iter().any(|word| name.starts_with(word))
}

/// A common surname, a given name, and no word's end before them: "觉得刘心武先生". A character too many is rather hidden than
/// two too few.
fn is_common_full(before: &str, start: usize) -> bool {
    let name = &before[start..];
    let thanks = name.starts_with('谢') && before[..start].ends_with(['感', '多', '谢']);
    let titled_twice =
        NOT_NAMES.iter().any(|word| name.starts_with(word)) || JOINED.iter().any(|word| before.ends_with(word));
    let given_ends = name.chars().next_back().is_some_and(|c| !NOT_LAST.contains(c));
    name.chars().next().is_some_and(is_common_surname) && given_ends && !thanks && !titled_twice
}

fn is_lone(before: &str, start: usize) -> bool {
    let surname = before[start..].chars().next();
    surname.is_some_and(is_common_surname) && !JOINED.iter().any(|word| before.ends_with(word))
}

#[cfg(test)]
mod tests {
    use super::super::check;

    #[test]
    fn names_are_found_after_what_announces_them_and_before_titles() {
        check(
            super::find,
            &[
                ("我叫张慧敏，订单", &["张慧敏"]),
                ("联系人：李伟，电话", &["李伟"]),
                ("收件人欧阳雪收", &["欧阳雪"]),
                ("姓名：刘思远 尺码", &["刘思远"]),
                ("我是周明，上次", &["周明"]),
                ("给王先生打了电话，陈女士很好", &["王", "陈"]),
                ("感谢孙建国师傅上门，请联系赵丽华老师", &["孙建国", "赵丽华"]),
                ("我姓罗，叫我小雅就好", &["罗", "小雅"]),
                ("我觉得刘心武先生写得好，推崇王力先生，感谢张伟先生", &["刘心武", "王力", "张伟"]),
                ("我叫Lily，在杭州", &["Lily"]),
                ("Contact 收货人: Tom Li, 姓名: 何俊杰", &["Tom Li", "何俊杰"]),
            ],
        );
    }

    #[test]
    fn brands_and_common_words_are_no_names() {
        check(
            super::find,
            &[
                ("李宁的跑鞋，周大福的戒指，张小泉剪刀，王老吉", &[]),
                ("我是高中生，我是老顾客，我是学生党，我是华为用户，我是小米粉丝", &[]),
                ("我叫了三次外卖，叫我怎么说，叫我小心点", &[]),
                ("对于女士来说，适合女士，小姐姐，女士们，上周老师没来", &[]),
                ("客服小姐，老师傅的手艺，保健医生，基金经理，姓名查询", &[]),
                ("My 会员 card, 联系人 unknown", &[]),
            ],
        );
    }
}
