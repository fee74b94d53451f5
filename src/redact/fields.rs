//! Which kind of personal data a trait holds, told by its name: `firstName`, `email_address`, `手机号`.

use super::Kind;

/// Names without case, spaces and signs. Those of Segment's reserved traits are among them.
const NAMES: &[(Kind, &[&str])] = &[
    (Kind::Email, &["email", "emailaddress", "mail", "emails", "workemail", "邮箱", "电子邮箱", "邮件", "邮箱地址"]),
    (
        Kind::Phone,
        &[
            "phone",
            "phonenumber",
            "mobile",
            "mobilenumber",
            "mobilephone",
            "cell",
            "cellphone",
            "tel",
            "telephone",
            "whatsapp",
            "fax",
            "手机",
            "手机号",
            "手机号码",
            "电话",
            "电话号码",
            "联系电话",
            "座机",
        ],
    ),
    (
        Kind::NationalId,
        &[
            "ssn",
            "nationalid",
            "idnumber",
            "idcard",
            "identitynumber",
            "passport",
            "passportnumber",
            "taxid",
            "身份证",
            "身份证号",
            "身份证号码",
            "证件号",
            "护照",
            "护照号",
        ],
    ),
    (
        Kind::BankCard,
        &["card", "cardnumber", "creditcard", "creditcardnumber", "pan", "bankcard", "银行卡", "银行卡号", "卡号"],
    ),
    (Kind::Iban, &["iban", "bankaccount", "accountnumber", "银行账号"]),
    (Kind::IpAddress, &["ip", "ipaddress", "ipv4", "ipv6", "lastip", "ip地址"]),
    (Kind::Url, &["avatar", "website", "photo", "profileurl", "头像"]),
    (
        Kind::PostalAddress,
        &[
            "address",
            "street",
            "streetaddress",
            "homeaddress",
            "shippingaddress",
            "billingaddress",
            "address1",
            "address2",
            "addressline1",
            "addressline2",
            "地址",
            "收货地址",
            "住址",
            "家庭住址",
        ],
    ),
    (
        Kind::PersonName,
        &[
            "name",
            "firstname",
            "lastname",
            "fullname",
            "middlename",
            "givenname",
            "familyname",
            "surname",
            "username",
            "nickname",
            "姓名",
            "名字",
            "昵称",
            "用户名",
            "收件人",
            "收货人",
            "联系人",
        ],
    ),
];

/// Names that mean a person at the top alone: `company.name` is a company's.
const TOP_ONLY: [&str; 3] = ["name", "website", "card"];

/// The kind that the name of a trait says it holds; `nested` where it lies in an object within the traits.
pub fn kind_of(name: &str, nested: bool) -> Option<Kind> {
    let name: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if nested && TOP_ONLY.contains(&name.as_str()) {
        return None;
    }
    NAMES.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_trait_holds_in_any_spelling() {
        for (name, kind) in [
            ("email", Some(Kind::Email)),
            ("E-Mail Address", Some(Kind::Email)),
            ("firstName", Some(Kind::PersonName)),
            ("LAST_NAME", Some(Kind::PersonName)),
            ("手机号", Some(Kind::Phone)),
            ("shipping.address", Some(Kind::PostalAddress)),
            ("ip", Some(Kind::IpAddress)),
            ("plan", None),
            ("emailOptIn", None),
            ("productName", None),
        ] {
            assert_eq!(kind_of(name, false), kind, "{name}");
        }
        assert_eq!(kind_of("name", true), None, "a company's name");
        assert_eq!(kind_of("phone", true), Some(Kind::Phone));
    }
}
