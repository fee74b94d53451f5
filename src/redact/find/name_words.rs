//! Words that the recognisers of names know: given names and surnames that are common, brands and titles that are no person's.

/// Common given names in English texts, in lower case. They make a doubtful name surer; no name has to be here.
const GIVEN: &str = " aaron abby abigail adam adrian agnes ahmed aisha alan alastair albert alex alexander alice alison amanda amelia amir \
    amy andrea andrew angela anita ann anna anne anthony arthur ashley audrey barbara ben benjamin bernard beth bob brandon brenda \
    brian bruce bryan carl carlos carmen carol caroline catherine charles charlie charlotte chloe chris christina christine \
    christopher claire clara colin craig daisy dan daniel dave david dawn deborah denise dennis derek diana diego donald donna \
    dorothy doug douglas dylan ed eddie edith edward elena elias elizabeth ella ellen emily emma eric erin ethan eva evan eve fatima \
    felix fiona florence frances francis frank fred gary gemma george gina gloria grace graham grant greg gwen hannah hans harriet \
    harry hassan heather helen henry holly hugh ian imogen ingrid irene isaac isabel ivan jack jackie jacob jake james jamie jane \
    janet jason jean jeff jennifer jenny jeremy jess jessica jill jim joan joanna joe joel john jonathan jordan jose joseph josh \
    joshua joyce juan judith judy julia julian julie justin karen kate katherine kathleen katie keith kelly ken kenneth kevin khalid \
    kim kyle larry laura lauren lee leo leon liam lily linda lisa liz louis louise lucas lucy luis luke lydia lynn maggie marcus \
    margaret maria marie marion mark martha martin mary matt matthew max megan melissa mia michael michelle miguel mike mohammed \
    molly monica nadia nancy naomi natalie nathan neil nick nicola nicole nigel nina noah nora norma oliver olivia omar oscar owen \
    pablo pam pamela patricia patrick paul paula pete peter phil philip priya rachel raj ralph raymond rebecca richard rita rob \
    robert robin roger ron ronald rosa rosalind rose rosemary ross roy russell ruth ryan sally sam samantha samuel sandra sara sarah \
    scott sean sharon shaun sheila shirley simon sofia sonia sophia sophie stacy stan stella stephanie stephen steve steven stuart \
    sue susan suzanne sylvia tanya tara ted teresa theo theresa thomas tim tina todd tom tony tracy trevor tyler valerie vanessa \
    vera veronica victor victoria vincent violet virginia wayne wendy will william yasmin yusuf yvonne zach zoe ";

/// Words that stand where a name would and are none, in lower case: brands, trades, times, polite words.
const NOT_NAMES: &str = " a about adidas again ahead airbnb all amazon an and another any anything apple april are at august back bose brand \
    but by canon cash chanel customer customers costco december delivery details dell dyson ebay everyone february fedex for friday from \
    gmail google great gucci happy he hello help her hers hi his home hp http https huawei i if ikea in info instagram intel is it \
    its january july june just kindly later lego lenovo lg logitech love management manager march may me microsoft monday my name \
    netflix nike nintendo no none not november now october of ok on order orders our panasonic paypal philips please puma refund \
    regards sales samsung saturday see seller september service she shop sir sony staff store sunday support target team thank thanks \
    that the their they this thursday tomorrow toyota tuesday uniqlo unknown ups us usps visa walmart we wednesday what whatsapp when \
    xiaomi yes you your yours youtube ";

/// What follows a title in the name of a brand, a drink or a show.
const AFTER_TITLE: &str = " beast bean beckmann bronner bronners brown browns christal clean coffee cool dash dennis dre fields fixit grinch hauschka heater \
    jart kipling leeper leepers lube martens meyer meyers muscle oetker oz pen pepper porky potato rogers right sandless schar scholl scholls seuss sheffield \
    smith's sour stacey strange teal up wages who ";

pub fn is_given(name: &str) -> bool {
    holds(GIVEN, name)
}

pub fn is_no_name(word: &str) -> bool {
    holds(NOT_NAMES, word)
}

pub fn is_brand_after_title(word: &str) -> bool {
    let bare: String = word.chars().filter(|c| *c != '\'' && *c != '’').collect();
    holds(AFTER_TITLE, &bare) || holds(AFTER_TITLE, word.trim_end_matches("'s"))
}

fn holds(words: &str, word: &str) -> bool {
    let word = word.to_lowercase();
    !word.is_empty() && !word.contains(' ') && words.split_ascii_whitespace().any(|known| known == word)
}

/// The surnames of most people on the mainland; those that are everyday words before a title are not among them.
const SURNAMES: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖\
    石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤康易乔赖文樊兰殷施洪翟安颜倪牛温芦季俞章鲁葛伍申尤毕聂柴焦柳\
    邢岳齐梅庄辛管祝左涂谷祁耿牟卜路詹关苗凌费纪靳盛童欧甄项曲成游裴席卫查屈鲍位覃霍翁隋植甘景薄单包司柏宁柯阮桂闵解强丛华车冉房边辜吉饶瞿戚丘古米池滕晋苑邬臧畅\
    宫来嵺苟全褚廉简娄盖符奚木穆党燕郎邸冀谈姬屠连郜晏栾郁商蒙计喻揭窦迟宇敖糜鄢冷卓花仇艾蓝都巩稽井练仲乐虞卞封竺冼原官衣楚佟栗匡宗应台巫鞠僧桑荆谌银扬明沙薄伏岑习胥蔺";

const COMPOUND_SURNAMES: [&str; 16] = [
    "欧阳", "司马", "上官", "诸葛", "司徒", "东方", "独孤", "南宫", "夏侯", "皇甫", "尉迟", "公孙", "慕容", "令狐",
    "宇文", "长孙",
];

/// Surnames common enough to be believed before a title with nothing else around.
const COMMON: usize = 120;

pub fn is_common_surname(c: char) -> bool {
    SURNAMES.chars().take(COMMON).any(|surname| surname == c)
}

/// The length in bytes of the surname that the text starts with.
pub fn surname_length(text: &str) -> Option<usize> {
    if let Some(compound) = COMPOUND_SURNAMES.iter().find(|compound| text.starts_with(**compound)) {
        return Some(compound.len());
    }
    let first = text.chars().next()?;
    SURNAMES.contains(first).then(|| first.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_word_by_word() {
        assert!(is_given("Priya") && !is_given("Pri") && !is_given("aaron abby"));
        assert!(
            is_brand_after_title("Meyer's") && is_brand_after_title("Martens") && !is_brand_after_title("Aldridge")
        );
        assert_eq!(surname_length("欧阳雪"), Some("欧阳".len()));
        assert_eq!(surname_length("客服"), None);
        assert!(is_common_surname('王') && !is_common_surname('和'));
    }
}
