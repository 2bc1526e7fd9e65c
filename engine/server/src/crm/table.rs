//! Contacts from a table (RFC 4180): `number,name,company,owner` and whatever other columns there are, each row a
//! contact. It is looked up as it is, or read into the tenant's own contacts.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use exchange::Contact;

use super::number::{Digits, choose};

/// A larger file is not read.
pub const MOST_BYTES: u64 = 64 << 20;
/// Contacts of one tenant; one more is a mistake.
pub const MOST_CONTACTS: usize = 200_000;
/// Columns of a table; one more is a mistake.
pub const MOST_COLUMNS: usize = 64;
/// A longer text in a table is a mistake: it is a number or a name.
pub const LONGEST_TEXT: usize = 4096;
/// When so many mistakes are found in a file, the rest of it is not looked at.
const MOST_MISTAKES: usize = 20;
/// What stands between several numbers of one contact.
const BETWEEN_NUMBERS: [char; 2] = ['|', ';'];
/// Columns with a meaning; others are fields by their name.
const COLUMNS: [&str; 5] = ["number", "id", "name", "company", "owner"];

/// Who calls, by number.
#[derive(Debug, Default)]
pub struct Contacts {
    contacts: Vec<Contact>,
    /// The numbers of each, as written.
    written: Vec<Vec<String>>,
    /// By the last digits: the whole number, and whose it is.
    by_suffix: HashMap<String, Vec<(Digits, usize)>>,
}

/// Something in a table that can't be read, and its line.
#[derive(Debug, PartialEq, Eq)]
pub struct Misread {
    /// From 1.
    pub line: usize,
    /// What is wrong, and what to write.
    pub what: String,
}

impl Contacts {
    /// Reads a table. `owner`: the user's name for what stands in the column `owner`, or what to write there.
    ///
    /// # Errors
    /// What is wrong, at most twenty of them.
    pub fn read(text: &str, owner: impl Fn(&str) -> Result<String, String>) -> Result<Self, Vec<Misread>> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let heading = text.lines().next().unwrap_or_default();
        let delimiter = if heading.contains(',') || !heading.contains(';') { b',' } else { b';' };
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(text.as_bytes());
        let columns: Vec<String> =
            reader.headers().map_err(|why| vec![misread(&why)])?.iter().map(str::to_lowercase).collect();
        if !columns.iter().any(|column| column == COLUMNS[0]) {
            let what = "there is no column \"number\"; write number,name,company,owner".to_owned();
            return Err(vec![Misread { line: 1, what }]);
        }
        if columns.len() > MOST_COLUMNS {
            let what = format!("there are {} columns; write at most {MOST_COLUMNS}", columns.len());
            return Err(vec![Misread { line: 1, what }]);
        }
        let mut contacts = Self::default();
        let mut mistakes = Vec::new();
        for row in reader.records() {
            let added = match row {
                Ok(row) => {
                    let line = row.position().map_or(1, |at| at.line() as usize);
                    contacts.add(&columns, &row, &owner).map_err(|what| Misread { line, what })
                }
                Err(why) => Err(misread(&why)),
            };
            mistakes.extend(added.err());
            if mistakes.len() == MOST_MISTAKES {
                break;
            }
        }
        if mistakes.is_empty() { Ok(contacts) } else { Err(mistakes) }
    }

    fn add(
        &mut self,
        columns: &[String],
        row: &csv::StringRecord,
        owner: impl Fn(&str) -> Result<String, String>,
    ) -> Result<(), String> {
        if self.contacts.len() == MOST_CONTACTS {
            return Err(format!("there are more than {MOST_CONTACTS} contacts; write fewer"));
        }
        let mut contact = Contact::default();
        let (mut numbers, mut written) = (Vec::new(), Vec::new());
        for (column, text) in columns.iter().zip(row) {
            if text.len() > LONGEST_TEXT {
                return Err(format!("\"{column}\" is longer than {LONGEST_TEXT} bytes; write less"));
            }
            let some = || (!text.is_empty()).then(|| text.to_owned());
            match column.as_str() {
                "number" => {
                    let each = text.split(BETWEEN_NUMBERS).map(str::trim).filter(|number| !number.is_empty());
                    for number in each {
                        numbers.push(Digits::read(number).ok_or_else(|| {
                            format!("\"{number}\" is no telephone number; write one like \"+359888123456\"")
                        })?);
                        written.push(number.to_owned());
                    }
                }
                "id" => contact.id = text.to_owned(),
                "name" => contact.name = text.to_owned(),
                "company" => contact.company = some(),
                "owner" if !text.is_empty() => contact.owner = Some(owner(text)?),
                "owner" => {}
                _ if text.is_empty() => {}
                other => contact.fields.push((other.to_owned(), text.to_owned())),
            }
        }
        if numbers.is_empty() {
            return Err("this contact has no number; write one like \"+359888123456\"".to_owned());
        }
        let nth = self.contacts.len();
        for number in numbers {
            match self.by_suffix.entry(number.suffix().to_owned()) {
                Entry::Occupied(mut there) => {
                    if there.get().iter().any(|(known, of)| *known == number && *of != nth) {
                        return Err(format!(
                            "another contact has the number {}; write it once",
                            number.as_str()
                        ));
                    }
                    there.get_mut().push((number, nth));
                }
                Entry::Vacant(vacant) => drop(vacant.insert(vec![(number, nth)])),
            }
        }
        self.contacts.push(contact);
        self.written.push(written);
        Ok(())
    }

    /// The contact with this number; none when there is none, or when a national number could be several's.
    pub fn find(&self, number: &str) -> Option<&Contact> {
        let number = Digits::read(number)?;
        choose(&number, self.by_suffix.get(number.suffix())?).map(|of| &self.contacts[*of])
    }

    /// Each with its numbers as they are written, in the order of the table.
    pub fn into_entries(self) -> impl Iterator<Item = (Contact, Vec<String>)> {
        self.contacts.into_iter().zip(self.written)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.contacts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.contacts.is_empty()
    }
}

fn misread(why: &csv::Error) -> Misread {
    let line = why.position().map_or(1, |at| at.line() as usize);
    let what = match why.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("there are {len} columns; write {expected_len} as in the first line")
        }
        _ => format!("this is no table: {why}; write a file of comma-separated values"),
    };
    Misread { line, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "number,name,company,owner,tier\n\
        +359 88 812-3456|+359 2 123 4567,Maria Petrova,\"Petrov, Sons\",ana,gold\n\
        00442071234567,John,,,\n\
        7001,Reception,,boris,\n";

    fn owner(text: &str) -> Result<String, String> {
        if ["ana", "boris"].contains(&text) { Ok(text.into()) } else { Err(format!("no user {text}")) }
    }

    fn misread(table: &str) -> Vec<(usize, String)> {
        let told = Contacts::read(table, owner).expect_err("it has mistakes");
        told.into_iter().map(|misread| (misread.line, misread.what)).collect()
    }

    #[test]
    fn a_number_is_found_in_every_spelling() {
        let contacts = Contacts::read(TABLE, owner).expect("a sound table");
        let found = |number: &str| contacts.find(number).map(|contact| contact.name.as_str());
        for maria in
            ["+359888123456", "00359888123456", "359888123456", "0888123456", "(0888) 12-34-56", "021234567"]
        {
            assert_eq!(found(maria), Some("Maria Petrova"), "{maria}");
        }
        assert_eq!(found("02071234567"), Some("John"));
        assert_eq!(found("7001"), Some("Reception"));
        for nobody in ["888123456", "0888123457", "+1888123456", "123456", "", "anonymous", "+", "17001"] {
            assert_eq!(found(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn all_columns_are_told() {
        let contacts = Contacts::read(TABLE, owner).expect("a sound table");
        let maria = contacts.find("+359888123456").expect("she is there");
        assert_eq!((maria.company.as_deref(), maria.owner.as_deref()), (Some("Petrov, Sons"), Some("ana")));
        assert_eq!(maria.fields, [("tier".to_owned(), "gold".to_owned())]);
        let john = contacts.find("+442071234567").expect("he is there");
        assert_eq!((&john.company, &john.owner, john.fields.len()), (&None, &None, 0));
    }

    #[test]
    fn two_countries_with_one_national_number_are_not_guessed_between() {
        let table = "number,name\n+359888123456,Maria\n+40888123456,Ioana\n";
        let contacts = Contacts::read(table, owner).expect("a sound table");
        assert_eq!(contacts.find("0888123456"), None);
        assert_eq!(contacts.find("+40888123456").map(|contact| contact.name.as_str()), Some("Ioana"));
    }

    #[test]
    fn a_spreadsheet_with_semicolons_and_a_byte_order_mark_is_read() {
        let table = "\u{feff}Name;Number\r\nMaria;+359888123456\r\n";
        let contacts = Contacts::read(table, owner).expect("a sound table");
        assert_eq!(contacts.find("+359888123456").map(|contact| contact.name.as_str()), Some("Maria"));
    }

    #[test]
    fn mistakes_have_their_line() {
        assert_eq!(misread("name\nMaria\n")[0].0, 1);
        let told = misread(
            "number,owner\n+359888123456,vera\nfoo,ana\n,ana\n+359888123457,ana,more\n+359888123458,ana\n00359888123458,boris\n",
        );
        let lines: Vec<_> = told.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 7], "{told:?}");
        assert_eq!(told[0].1, "no user vera");
        assert_eq!(told[3].1, "there are 3 columns; write 2 as in the first line");
    }
}
