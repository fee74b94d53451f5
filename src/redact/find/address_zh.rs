//! Postal addresses in Chinese, best effort: a chain from province or city down to road, house, building and room.
//!
//! The anchor is a road's or a compound's name before a house's number (文三路128号, 幸福小区8栋). From there the chain is followed
//! back to its first level, or to the word that leads to it (地址, 住在, 寄到), and on to its last number.

use super::{Findings, push};
use crate::redact::Kind;
use crate::redact::context::Context;
use crate::redact::view::{View, is_han};

/// Names of what a number stands after; longer ones first.
const ROADS: [&str; 17] = [
    "大道", "胡同", "小区", "花园", "新村", "公寓", "家园", "路", "街", "道", "巷", "弄", "里", "苑", "村", "镇", "乡",
];
/// Words that end like a road and are none.
const NO_ROADS: [&str; 18] = [
    "一路", "走路", "线路", "套路", "思路", "电路", "半路", "网路", "问路", "知道", "味道", "渠道", "通道", "频道",
    "公里", "这里", "那里", "家里",
];
const HOUSES: [&str; 13] = ["号楼", "号院", "单元", "号", "弄", "栋", "幢", "座", "室", "楼", "层", "户", "院"];
const REGIONS: [char; 9] = ['省', '市', '区', '县', '州', '旗', '镇', '乡', '盟'];
/// What leads to an address and is not part of it.
const LEADS: [&str; 25] = [
    "地址",
    "住址",
    "住在",
    "寄到",
    "送到",
    "寄往",
    "送往",
    "发到",
    "寄给",
    "送货到",
    "改成",
    "改为",
    "老家",
    "家住",
    "我住",
    "我家",
    "就在",
    "还有",
    "了",
    "在",
    "到",
    "往",
    "是",
    "为",
    "住",
];
const PROVINCES: [&str; 34] = [
    "北京",
    "天津",
    "上海",
    "重庆",
    "河北",
    "山西",
    "辽宁",
    "吉林",
    "黑龙江",
    "江苏",
    "浙江",
    "安徽",
    "福建",
    "江西",
    "山东",
    "河南",
    "湖北",
    "湖南",
    "广东",
    "海南",
    "四川",
    "贵州",
    "云南",
    "陕西",
    "甘肃",
    "青海",
    "台湾",
    "内蒙古",
    "广西",
    "西藏",
    "宁夏",
    "新疆",
    "香港",
    "澳门",
];
const WINDOW_BEFORE: usize = 120;
const WINDOW_AFTER: usize = 90;
const WORDS: Context = Context {
    raise: &["地址", "住址", "住在", "寄", "送到", "送货", "收货", "家住", "我住", "我家", "老家", "address"],
    lower: &[],
};

pub fn find(view: &View, findings: &mut Findings) {
    let mut done = 0;
    for group in view.groups() {
        if group.start < done || group.len() > 5 {
            continue;
        }
        let Some((end, n_houses)) = houses(view, group.end) else { continue };
        let before = clause(view.window_before(group.start, WINDOW_BEFORE.min(group.start - done)));
        let Some(road_start) = road(before) else { continue };
        let start = chain_start(before, road_start);
        let chain = &before[start..];
        let n_regions = chain.chars().filter(|c| REGIONS.contains(c)).count();
        let start = group.start - chain.len();
        let base = 0.5 + 0.15 * ((n_regions + n_houses).saturating_sub(1)).min(3) as f32;
        let led = LEADS.iter().take(16).any(|lead| before[..before.len() - chain.len()].ends_with(lead));
        let certainty = WORDS.weigh(view, &(start..end), base + if led { 0.15 } else { 0.0 });
        push(findings, Kind::PostalAddress, start..end, certainty);
        done = end;
    }
}

/// Where the house's numbers end that start with the digits before `at`, and how many there are.
fn houses(view: &View, at: usize) -> Option<(usize, usize)> {
    let text = view.window_after(at, WINDOW_AFTER);
    let (mut end, mut n_houses) = (0, 0);
    loop {
        let digits = if n_houses == 0 { 0 } else { text[end..].bytes().take_while(u8::is_ascii_alphanumeric).count() };
        let rest = &text[end + digits..];
        match HOUSES.iter().find(|house| rest.starts_with(**house)) {
            Some(house) if n_houses == 0 || digits > 0 => {
                end += digits + house.len();
                n_houses += 1;
            }
            // "2单元401": the room's number stands alone at the end.
            _ if n_houses > 0 && (2..=5).contains(&digits) => return Some((at + end + digits, n_houses + 1)),
            _ if n_houses > 0 => match building(&text[end..]) {
                Some(length) => end += length,
                None => return Some((at + end, n_houses)),
            },
            _ => return None,
        }
    }
}

/// "财富大厦2305室": a building's name between two numbers.
fn building(text: &str) -> Option<usize> {
    let name: usize = text.chars().take(8).take_while(|c| is_han(*c)).map(char::len_utf8).sum();
    let digits = text[name..].bytes().take_while(u8::is_ascii_digit).count();
    let named = ["大厦", "花园", "小区", "公寓", "广场", "中心", "家园", "苑", "城"]
        .iter()
        .any(|kind| text[..name].ends_with(kind));
    (named && digits > 0 && HOUSES.iter().any(|house| text[name + digits..].starts_with(house))).then_some(name)
}

/// The part after the last mark: an address is written without marks, spaces between its levels perhaps.
fn clause(before: &str) -> &str {
    let belongs = |c: char| is_han(c) || c.is_ascii_alphanumeric() || c == ' ' || c == '-';
    let start = before.char_indices().rev().find(|(_, c)| !belongs(*c)).map_or(0, |(at, c)| at + c.len_utf8());
    before[start..].trim_start()
}

/// Where the name of the road's kind starts that the clause ends with; digits of a section (四段) may follow it.
fn road(clause: &str) -> Option<usize> {
    let bare = clause.trim_end_matches(|c: char| "东西南北中一二三四五六七八九十段 ".contains(c));
    let kind = ROADS.iter().find(|kind| bare.ends_with(**kind) || clause.ends_with(**kind))?;
    let start = if bare.ends_with(kind) { bare.len() } else { clause.len() } - kind.len();
    let named = clause[..start].chars().next_back().is_some_and(|c| is_han(c) || c.is_ascii_alphanumeric());
    let none = NO_ROADS.iter().any(|word| clause[..start + kind.len()].ends_with(word));
    (named && !none).then_some(start)
}

/// Where the chain starts: at a province, else after the last word that leads to it, else at the first level's name.
fn chain_start(clause: &str, road: usize) -> usize {
    let first_level = clause.find(REGIONS).filter(|at| *at > 0 && *at < road).unwrap_or(road);
    if let Some(province) = PROVINCES.iter().filter_map(|name| clause[..road].find(name)).min() {
        return province;
    }
    let led = LEADS.iter().filter_map(|lead| clause[..first_level].rfind(lead).map(|at| at + lead.len())).max();
    let start = led.filter(|start| *start < first_level).unwrap_or(0);
    let name = &clause[start..first_level];
    let longest = name.char_indices().rev().nth(5).map_or(0, |(at, _)| at);
    let start = start + longest;
    start + (clause[start..].len() - clause[start..].trim_start().len())
}

#[cfg(test)]
mod tests {
    use super::super::check;

    #[test]
    fn chains_are_found_from_their_first_level_to_their_last_number() {
        check(
            super::find,
            &[
                ("收货地址：浙江省杭州市西湖区文三路128号3幢502室，别", &["浙江省杭州市西湖区文三路128号3幢502室"]),
                ("送到南京市鼓楼区中山北路45号，", &["南京市鼓楼区中山北路45号"]),
                ("我住成都市武侯区人民南路四段27号，", &["成都市武侯区人民南路四段27号"]),
                ("家住幸福小区8栋2单元401，", &["幸福小区8栋2单元401"]),
                ("寄到广州市天河区体育东路118号财富大厦2305室。", &["广州市天河区体育东路118号财富大厦2305室"]),
                ("地址 上海市 浦东新区 张杨路500弄12号602室", &["上海市 浦东新区 张杨路500弄12号602室"]),
                ("到了朝阳区建国路８８号院2号楼", &["朝阳区建国路８８号院2号楼"]),
                ("地铁2号线，5号色，一路12号，走路15分钟", &[]),
                ("这条线路3号车，味道5层次，第3层", &[]),
                ("Ship to road 5号", &[]),
            ],
        );
    }
}
