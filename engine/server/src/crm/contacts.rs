//! The tenant's own CRM: contacts with their numbers and deals, in the store, for a tenant that has no other. A contact is
//! found by an index over the last digits of its numbers, so a look-up costs the same among ten and among ten million.
//! A number belongs to one contact.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use exchange::Contact;
use serde::{Deserialize, Serialize};
use store::{Batch, Store, StoreError, layout};
use utoipa::ToSchema;

use super::number::{Digits, choose};
use super::table::Contacts as Table;

/// In front of each row, so that another form can be told apart later.
const FORM: u8 = 1;
/// Numbers of one contact; more are refused.
pub const MOST_NUMBERS: usize = 16;
/// Deals of one contact; more are refused.
pub const MOST_DEALS: usize = 50;
/// Other fields of one contact; more are refused.
pub const MOST_FIELDS: usize = 64;
/// Bytes of one text; a longer one is refused.
pub const LONGEST_TEXT: usize = 1024;
/// Bytes of an id; a longer one is refused.
const LONGEST_ID: usize = 128;
/// Numbers with the same last digits that are compared; the exchange knows no country with so many of one.
const MOST_NEAR: usize = 1000;
/// Contacts of a table that go to the disk at once.
const CHUNK: usize = 200;

/// Someone the company knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Card {
    /// Names the contact: 1 to 128 bytes.
    pub id: String,
    /// Their name.
    #[schema(example = "Maria Petrova")]
    pub name: String,
    /// Where they work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// The user who looks after them, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ana")]
    pub owner: Option<String>,
    /// At least one, in any spelling.
    #[schema(example = json!(["+359888123456"]))]
    pub numbers: Vec<String>,
    /// The newest last.
    pub deals: Vec<Deal>,
    /// Whatever else is known, by name.
    pub fields: BTreeMap<String, String>,
}

/// Something that is being sold to a contact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Deal {
    /// Names the deal among those of the contact.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// The user who leads it; the contact's owner if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// How it is.
    pub state: DealState,
    /// In the tenant's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// How a deal is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DealState {
    /// Under way.
    #[default]
    Open,
    /// The customer bought.
    Won,
    /// The customer did not.
    Lost,
}

/// Why a contact is not taken.
#[derive(Debug)]
pub enum NotTaken {
    /// What is wrong with it, and what to write.
    Wrong(String),
    /// Another contact has one of its numbers: the number, and whose it is.
    Taken(String, String),
    /// The store can't.
    Store(StoreError),
}

impl std::fmt::Display for NotTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wrong(what) => f.write_str(what),
            Self::Taken(number, id) => write!(f, "contact \"{id}\" has the number {number}; write it once"),
            Self::Store(why) => why.fmt(f),
        }
    }
}

impl From<StoreError> for NotTaken {
    fn from(why: StoreError) -> Self {
        Self::Store(why)
    }
}

impl Card {
    /// What a script and a notice see of it.
    pub fn contact(&self) -> Contact {
        let deal = self.deals.iter().rev().find(|deal| deal.state == DealState::Open);
        let owner = deal.and_then(|deal| deal.owner.clone()).or_else(|| self.owner.clone());
        let mut fields: Vec<_> = self.fields.clone().into_iter().collect();
        if let Some(deal) = deal {
            fields.retain(|(name, _)| name != "deal" && name != "deal-id");
            fields.push(("deal".to_owned(), deal.title.clone()));
            fields.push(("deal-id".to_owned(), deal.id.clone()));
        }
        Contact { id: self.id.clone(), name: self.name.clone(), company: self.company.clone(), owner, fields }
    }

    fn check(&self) -> Result<Vec<Digits>, NotTaken> {
        let wrong = |what: String| Err(NotTaken::Wrong(what));
        if self.id.is_empty() || self.id.len() > LONGEST_ID {
            return wrong(format!("id has {} bytes; write 1 to {LONGEST_ID}", self.id.len()));
        }
        let count = |what: &str, has: usize, most: usize| {
            (has > most).then(|| NotTaken::Wrong(format!("there are {has} {what}; write at most {most}")))
        };
        let too_many = count("numbers", self.numbers.len(), MOST_NUMBERS)
            .or_else(|| count("deals", self.deals.len(), MOST_DEALS))
            .or_else(|| count("fields", self.fields.len(), MOST_FIELDS));
        if let Some(why) = too_many {
            return Err(why);
        }
        let of_deals = self.deals.iter().flat_map(|deal| [&deal.id, &deal.title]);
        let of_fields = self.fields.iter().flat_map(|(name, value)| [name, value]);
        let texts = [&self.name].into_iter().chain(&self.company).chain(of_deals).chain(of_fields);
        if let Some(long) = texts.into_iter().find(|text| text.len() > LONGEST_TEXT) {
            return wrong(format!("a text has {} bytes; write at most {LONGEST_TEXT}", long.len()));
        }
        if self.numbers.is_empty() {
            return wrong("there is no number; write numbers = [\"+359888123456\"]".to_owned());
        }
        let digits = |number: &String| {
            let wrong = || {
                NotTaken::Wrong(format!(
                    "\"{number}\" is no telephone number; write one like \"+359888123456\""
                ))
            };
            Digits::read(number).ok_or_else(wrong)
        };
        self.numbers.iter().map(digits).collect()
    }
}

/// The contact with this number; none when there is none, or when a national number could be several's.
///
/// # Errors
/// When the store can't be read.
pub fn find(store: &Store, tenant: &str, number: &str) -> Result<Option<Card>, StoreError> {
    let Some(wanted) = Digits::read(number) else { return Ok(None) };
    match choose(&wanted, &near(store, tenant, &wanted)?) {
        Some(id) => get(store, tenant, id),
        None => Ok(None),
    }
}

/// Numbers with the same last digits, and whose they are.
fn near(store: &Store, tenant: &str, number: &Digits) -> Result<Vec<(Digits, String)>, StoreError> {
    let rows = store.scan(&layout::contact_numbers(tenant, number.suffix()).limit(MOST_NEAR))?;
    let read = |(key, _): &(Vec<u8>, Vec<u8>)| {
        let (digits, id) = layout::read_contact_number(key)?;
        Some((Digits::read(&digits)?, id))
    };
    Ok(rows.iter().filter_map(read).collect())
}

/// A contact by its id.
///
/// # Errors
/// When the store can't be read.
pub fn get(store: &Store, tenant: &str, id: &str) -> Result<Option<Card>, StoreError> {
    store.get(&layout::contact(tenant, id))?.map(|row| read(&row)).transpose()
}

/// Contacts in the order of their ids behind `after`, at most `most`.
///
/// # Errors
/// When the store can't be read.
pub fn page(store: &Store, tenant: &str, after: Option<&str>, most: usize) -> Result<Vec<Card>, StoreError> {
    let scan = layout::contacts(tenant);
    let scan = match after {
        Some(id) => scan.behind(&layout::contact(tenant, id)),
        None => scan,
    };
    store.scan(&scan.limit(most))?.iter().map(|(_, row)| read(row)).collect()
}

/// Changes to contacts go one after the other, so that the index says what the contacts say.
#[derive(Default)]
pub struct Writing(Mutex<()>);

impl Writing {
    /// Takes a contact in the place of the one with its id. Durable when it returns; for a thread that may wait.
    ///
    /// # Errors
    /// See [`NotTaken`].
    pub fn put(&self, store: &Store, tenant: &str, card: &Card) -> Result<(), NotTaken> {
        let _one = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = put(Batch::new(), store, tenant, card)?;
        Ok(store.commit_and_wait(batch)?)
    }

    /// Forgets a contact; whether there was one. Durable when it returns.
    ///
    /// # Errors
    /// When the store can't.
    pub fn delete(&self, store: &Store, tenant: &str, id: &str) -> Result<bool, StoreError> {
        let _one = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(card) = get(store, tenant, id)? else { return Ok(false) };
        let batch = without_numbers(Batch::new(), tenant, &card).delete(layout::contact(tenant, id));
        store.commit_and_wait(batch)?;
        Ok(true)
    }

    /// Takes all contacts of a table, each in the place of the one with its id, or else with one of its numbers, whose
    /// deals stay. Answers how many; what was taken before a mistake stays.
    ///
    /// # Errors
    /// See [`NotTaken`].
    pub fn import(&self, store: &Store, tenant: &str, table: Table) -> Result<usize, NotTaken> {
        let _one = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = Batch::new();
        let mut in_batch = HashSet::new();
        let mut count = 0;
        for (contact, numbers) in table.into_entries() {
            let known = match contact.id.as_str() {
                "" => {
                    let found = numbers.iter().map(|number| find(store, tenant, number));
                    found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().next()
                }
                id => get(store, tenant, id)?,
            };
            let known = known.unwrap_or_default();
            let first = || numbers.first().and_then(|number| Digits::read(number));
            let id = [contact.id, known.id].into_iter().find(|id| !id.is_empty());
            let card = Card {
                id: id.or_else(|| Some(first()?.as_str().to_owned())).unwrap_or_default(),
                name: contact.name,
                company: contact.company,
                owner: contact.owner,
                numbers,
                deals: known.deals,
                fields: contact.fields.into_iter().collect(),
            };
            // One that is there twice must find what its first row left.
            if in_batch.len() == CHUNK || in_batch.contains(&card.id) {
                store.commit_and_wait(std::mem::take(&mut batch))?;
                in_batch.clear();
            }
            batch = put(batch, store, tenant, &card)?;
            in_batch.insert(card.id);
            count += 1;
        }
        store.commit_and_wait(batch)?;
        Ok(count)
    }
}

fn put(batch: Batch, store: &Store, tenant: &str, card: &Card) -> Result<Batch, NotTaken> {
    let numbers = card.check()?;
    for number in &numbers {
        let taken =
            near(store, tenant, number)?.into_iter().find(|(known, of)| known == number && *of != card.id);
        if let Some((_, of)) = taken {
            return Err(NotTaken::Taken(number.as_str().to_owned(), of));
        }
    }
    let batch = match get(store, tenant, &card.id)? {
        Some(old) => without_numbers(batch, tenant, &old),
        None => batch,
    };
    let index = |batch: Batch, number: &Digits| {
        batch.put(layout::contact_number(tenant, number.suffix(), number.as_str(), &card.id), Vec::new())
    };
    let batch = numbers.iter().fold(batch, index);
    let text = serde_json::to_vec(card).expect("plain data has a JSON form");
    Ok(batch.put(layout::contact(tenant, &card.id), [&[FORM], &text[..]].concat()))
}

fn without_numbers(batch: Batch, tenant: &str, card: &Card) -> Batch {
    let drop_number = |batch: Batch, number: Digits| {
        batch.delete(layout::contact_number(tenant, number.suffix(), number.as_str(), &card.id))
    };
    card.numbers.iter().filter_map(|number| Digits::read(number)).fold(batch, drop_number)
}

fn read(row: &[u8]) -> Result<Card, StoreError> {
    let card = row.strip_prefix(&[FORM]).and_then(|text| serde_json::from_slice(text).ok());
    card.ok_or_else(|| StoreError::Corrupt("a contact cannot be read".to_owned()))
}

#[cfg(test)]
mod tests {
    use store::Options;

    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("store"), &Options::default()).expect("a store");
        (folder, store)
    }

    fn maria() -> Card {
        Card {
            id: "17".into(),
            name: "Maria".into(),
            owner: Some("ana".into()),
            numbers: vec!["+359 888 123-456".into(), "021234567".into()],
            ..Card::default()
        }
    }

    #[test]
    fn a_contact_is_found_by_all_its_numbers_in_every_spelling_and_by_no_old_one() {
        let (_folder, store) = store();
        let writing = Writing::default();
        writing.put(&store, "acme", &maria()).expect("taken");
        let name =
            |tenant: &str, number: &str| find(&store, tenant, number).expect("read").map(|card| card.name);
        for number in ["+359888123456", "00359888123456", "0888 123 456", "359888123456", "+35921234567"] {
            assert_eq!(name("acme", number).as_deref(), Some("Maria"), "{number}");
        }
        assert_eq!((name("bell", "+359888123456"), name("acme", "+359888123457")), (None, None));
        let moved = Card { numbers: vec!["+40722123456".into()], ..maria() };
        writing.put(&store, "acme", &moved).expect("taken");
        assert_eq!((name("acme", "0888123456"), name("acme", "0722123456").is_some()), (None, true));
        assert!(writing.delete(&store, "acme", "17").expect("deleted"));
        assert_eq!(name("acme", "0722123456"), None);
        assert!(!writing.delete(&store, "acme", "17").expect("read"));
    }

    #[test]
    fn the_owner_is_that_of_the_newest_open_deal_and_else_the_contacts() {
        let deal = |id: &str, owner: &str, state| Deal {
            id: id.into(),
            title: format!("deal {id}"),
            owner: Some(owner.into()),
            state,
            value: None,
        };
        let deals = vec![
            deal("1", "boris", DealState::Open),
            deal("2", "vera", DealState::Open),
            deal("3", "petar", DealState::Won),
        ];
        let contact = Card { deals, ..maria() }.contact();
        assert_eq!(contact.owner.as_deref(), Some("vera"));
        assert!(contact.fields.contains(&("deal".into(), "deal 2".into())));
        assert_eq!(maria().contact().owner.as_deref(), Some("ana"));
    }

    #[test]
    fn what_is_wrong_is_refused_and_a_number_is_nobody_elses() {
        let (_folder, store) = store();
        let writing = Writing::default();
        writing.put(&store, "acme", &maria()).expect("taken");
        let told = |card: Card| writing.put(&store, "acme", &card).expect_err("refused").to_string();
        let other = Card { id: "18".into(), numbers: vec!["00359888123456".into()], ..maria() };
        assert_eq!(told(other), "contact \"17\" has the number 359888123456; write it once");
        assert!(told(Card { numbers: vec![], ..maria() }).contains("there is no number"));
        assert!(told(Card { numbers: vec!["maria".into()], ..maria() }).contains("no telephone number"));
        assert!(told(Card { id: String::new(), ..maria() }).contains("id has 0 bytes"));
        assert!(told(Card { name: "x".repeat(LONGEST_TEXT + 1), ..maria() }).contains("at most 1024"));
        assert!(told(Card { numbers: vec!["1".into(); MOST_NUMBERS + 1], ..maria() }).contains("at most 16"));
    }

    #[test]
    fn a_table_is_read_in_and_read_in_again() {
        let (_folder, store) = store();
        let writing = Writing::default();
        let deals = vec![Deal { id: "1".into(), owner: Some("vera".into()), ..Deal::default() }];
        writing.put(&store, "acme", &Card { deals, ..maria() }).expect("taken");
        let table = "number,name,owner,tier\n0888123456|+359888000001,Maria Petrova,boris,gold\n+442071234567,John,,\n";
        for _ in 0..2 {
            let table = Table::read(table, |owner| Ok(owner.to_owned())).expect("a table");
            assert_eq!(writing.import(&store, "acme", table).expect("taken"), 2);
        }
        let found = find(&store, "acme", "+359888000001").expect("read").expect("Maria");
        assert_eq!((found.id.as_str(), found.name.as_str(), found.deals.len()), ("17", "Maria Petrova", 1));
        assert_eq!(found.contact().owner.as_deref(), Some("vera"));
        let all = page(&store, "acme", None, 10).expect("read");
        assert_eq!(all.iter().map(|card| card.id.as_str()).collect::<Vec<_>>(), ["17", "442071234567"]);
        assert_eq!(page(&store, "acme", Some("17"), 10).expect("read").len(), 1);
    }
}
