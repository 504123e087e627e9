//! The roster beside a naive one: a list of streams, and those who listen beside
//! what they could know. Everything follows from a seed.

use super::*;
use serde_json::Value;
use std::collections::BTreeMap;
use tidings_codec::fixtures::Random;

const GRACE: Duration = Duration::from_millis(300);
const TOPICS: [&str; 3] = ["news", "orders/42", "\"a\\b\""];
/// When the hub of the model started, by the clock on the wall.
const STARTED: u64 = 1_700_000_000_000;

fn topic(number: usize) -> Topic {
    Topic::new(TOPICS[number % TOPICS.len()]).expect("a topic")
}

/// A stream, of one topic or several, that is or was there.
struct Stream {
    person: Arc<Person>,
    topics: Vec<Topic>,
    from: Duration,
    /// Until when it makes its person a member, once it has ended.
    until: Option<Duration>,
}

/// Somebody who listens to a topic.
struct Listener {
    topic: Topic,
    /// The first account that was told while they listened.
    heard: usize,
    /// Whether they leave out what their snapshot has.
    leaves_out: bool,
    known: Option<Known>,
}

/// What somebody knows of a topic.
struct Known {
    seq: u64,
    count: u64,
    members: Option<BTreeMap<String, Value>>,
}

impl Known {
    fn read(data: &str) -> Self {
        let data: Value = serde_json::from_str(data).expect("JSON");
        let members = data["members"].as_array().map(|members| by_id(members));
        Self {
            seq: data["seq"].as_u64().expect("a number"),
            count: data["count"].as_u64().expect("a count"),
            members,
        }
    }

    fn hear(&mut self, data: &str) {
        let read: Value = serde_json::from_str(data).expect("JSON");
        if read.get("members").is_some() {
            *self = Self::read(data);
            return;
        }
        self.count = read["count"].as_u64().expect("a count");
        if read["joined"].is_number() {
            assert!(read["left"].is_number(), "{data}");
            self.members = None;
        }
        let Some(members) = &mut self.members else {
            return;
        };
        for id in read["left"].as_array().expect("a list") {
            members.remove(id.as_str().expect("an id"));
        }
        members.extend(by_id(read["joined"].as_array().expect("a list")));
    }
}

fn by_id(members: &[Value]) -> BTreeMap<String, Value> {
    let id = |member: &Value| member["id"].as_str().expect("an id").to_owned();
    members.iter().map(|own| (id(own), own.clone())).collect()
}

struct World {
    seed: u64,
    random: Random,
    roster: Roster,
    now: Duration,
    streams: Vec<Stream>,
    listeners: Vec<Listener>,
    told: Vec<(Duration, Account)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let bytes = match random.below(4) {
            0 => 4_500 + random.below(2_000),
            _ => 1 << 20,
        };
        let rules = Rules {
            grace: GRACE,
            list: random.below(5),
            list_bytes: 350 + random.below(400),
            interval: Duration::from_millis(200),
            bytes,
        };
        Self {
            seed,
            random,
            roster: Roster::new(rules),
            now: Duration::ZERO,
            streams: Vec::new(),
            listeners: Vec::new(),
            told: Vec::new(),
        }
    }

    fn wall(&self, at: Duration) -> Timestamp {
        Timestamp(STARTED + at.as_millis() as u64)
    }

    fn step(&mut self) {
        match self.random.below(12) {
            0..3 => self.begin(),
            3..5 => self.end(),
            5 => self.listen(),
            6 if !self.listeners.is_empty() => {
                let at = self.random.below(self.listeners.len());
                let gone = self.listeners.swap_remove(at);
                self.roster.ignore(&gone.topic);
            }
            7..9 => self.look(),
            _ => {
                let most = [3, 60, 700][self.random.below(3)];
                let time = self.random.below(most) as u64;
                self.pass(Duration::from_millis(time));
            }
        }
        self.check();
    }

    fn begin(&mut self) {
        let id = self.random.below(7) as u128;
        // Some bring something else each time.
        let data = (id > 4).then(|| format!("{{\"n\":{}}}", self.random.below(1000)).into());
        let person = Arc::new(Person {
            id: MemberId(id),
            lasts: id > 0,
            called: (id == 2).then(|| "Ann".into()),
            data,
        });
        let mut topics: Vec<_> = (0..=self.random.below(3)).map(topic).collect();
        let first = self.random.below(topics.len());
        topics.rotate_left(first);
        let payer = id.is_multiple_of(2).then_some(Payer(id % 3));
        let wall = self.wall(self.now);
        let at = topics
            .iter()
            .map(|topic| (topic.clone(), Arc::clone(&person)));
        let at: Vec<_> = at.collect();
        if self.roster.begin(&at, payer, (self.now, wall)).is_ok() {
            self.streams.push(Stream {
                person,
                topics,
                from: self.now,
                until: None,
            });
        }
    }

    fn end(&mut self) {
        let open: Vec<usize> = (0..self.streams.len())
            .filter(|at| self.streams[*at].until.is_none())
            .collect();
        if open.is_empty() {
            return;
        }
        // So that nobody has begun at this very moment.
        self.pass(Duration::from_millis(1));
        let at = open[self.random.below(open.len())];
        let retry = match self.random.below(4) {
            0 => Some(Duration::from_millis(self.random.below(900) as u64)),
            _ => None,
        };
        let own = &mut self.streams[at];
        let keeps = retry.unwrap_or_default() + GRACE;
        let keeps = if own.person.lasts {
            keeps
        } else {
            Duration::ZERO
        };
        own.until = Some(self.now + keeps);
        self.roster.end(own.person.id, &own.topics, retry, self.now);
    }

    fn listen(&mut self) {
        let topic = topic(self.random.below(TOPICS.len()));
        self.roster.listen(&topic);
        self.listeners.push(Listener {
            topic,
            heard: self.told.len(),
            leaves_out: self.random.below(2) == 0,
            known: None,
        });
    }

    /// Somebody who listens is shown who is there: at first, or once more.
    fn look(&mut self) {
        if self.listeners.is_empty() {
            return;
        }
        let at = self.random.below(self.listeners.len());
        let snapshot = self.roster.snapshot(&self.listeners[at].topic, self.now);
        let own = &mut self.listeners[at];
        if own.known.is_some() {
            // What they had not heard yet is in it.
            own.heard = self.told.len();
        }
        own.known = Some(Known::read(&snapshot.to_json()));
    }

    /// Time passes, and everything is done when it is due.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.roster.due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let most = 1 + self.random.below(3);
            let accounts = self.roster.take(most, self.now);
            let now = self.now;
            self.told.extend(accounts.into_iter().map(|own| (now, own)));
        }
        self.now = end;
    }

    /// Who is at a topic, and since when.
    fn members(&self, topic: &Topic) -> BTreeMap<MemberId, Duration> {
        let mut since: BTreeMap<MemberId, (Duration, Duration)> = BTreeMap::new();
        // In the order in which they began.
        for own in self.streams.iter().filter(|own| own.topics.contains(topic)) {
            let until = own.until.unwrap_or(Duration::MAX);
            let spell = since.entry(own.person.id).or_insert((own.from, until));
            match own.from < spell.1 {
                true => spell.1 = spell.1.max(until),
                false => *spell = (own.from, until),
            }
        }
        let there = since.into_iter().filter(|(_, spell)| self.now < spell.1);
        there.map(|(id, spell)| (id, spell.0)).collect()
    }

    /// A snapshot that nobody listens for shows who is there.
    fn check(&mut self) {
        // What is due at this very moment has to be done first.
        self.pass(Duration::ZERO);
        let (mut count, mut bytes) = (0, 0);
        for number in 0..TOPICS.len() {
            let topic = topic(number);
            let there = self.members(&topic);
            let snapshot = self.roster.snapshot(&topic, self.now);
            assert_eq!(snapshot.count, there.len(), "seed {}: {topic}", self.seed);
            count += there.len();
            for (id, since) in &there {
                let (Some(members), since) = (&snapshot.members, self.wall(*since)) else {
                    continue;
                };
                let own = members.iter().find(|own| own.person.id == *id);
                assert_eq!(own.map(|own| own.since), Some(since), "seed {}", self.seed);
            }
            bytes += there.len() * (MEMBER_BYTES + topic.as_str().len());
            let audience = self.roster.audiences.get(&topic);
            let is_paid = audience.is_some_and(|own| own.paid().is_some());
            assert!(is_paid || there.is_empty(), "seed {}", self.seed);
            bytes += if is_paid { TOPIC_BYTES } else { 0 };
        }
        assert_eq!(self.roster.members(), count, "seed {}", self.seed);
        // Beside what they show, which is 12 bytes at most.
        let shown = self.roster.bytes() - bytes;
        assert!(shown <= 12 * count, "seed {}: {shown}", self.seed);
        assert!(self.roster.bytes() <= self.roster.rules.bytes);
    }

    /// Once all is told, everybody who listens knows exactly what is.
    fn check_listeners(&mut self) {
        for at in 0..self.listeners.len() {
            let topic = self.listeners[at].topic.clone();
            let truth = self.roster.snapshot(&topic, self.now);
            let truth = Known::read(&truth.to_json());
            let own = &mut self.listeners[at];
            let Some(known) = &mut own.known else {
                continue;
            };
            let told = self.told[own.heard..].iter().map(|(_, told)| told);
            for account in told.filter(|told| told.topic == topic) {
                let read: Value = serde_json::from_str(&account.to_json()).expect("JSON");
                if !own.leaves_out || read["seq"].as_u64() > Some(known.seq) {
                    known.hear(&account.to_json());
                }
            }
            let context = format!("seed {}: {topic} by listener {at}", self.seed);
            assert_eq!(known.count, truth.count, "{context}");
            assert_eq!(known.members, truth.members, "{context}");
        }
    }

    /// What was told of a topic keeps to its pace, and counts to their interval.
    fn check_pace(&self) {
        for number in 0..TOPICS.len() {
            let topic = topic(number);
            let told = self.told.iter().filter(|(_, told)| told.topic == topic);
            let mut last: Option<(Duration, bool)> = None;
            for (at, account) in told {
                let counts =
                    account.to_json().contains("\"joined\":") && !account.to_json().contains('[');
                if let Some((before, counted)) = last {
                    let least = match counted {
                        true => self.roster.rules.interval,
                        false => Duration::from_millis(50),
                    };
                    assert!(*at >= before + least, "seed {}: {account:?}", self.seed);
                }
                last = Some((*at, counts));
            }
        }
    }
}

/// Streams come and go, people listen and look, time passes.
fn check_seed(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..150 {
        world.step();
    }
    while world.roster.due().is_some() {
        world.pass(Duration::from_millis(100));
    }
    world.check_listeners();
    world.check_pace();
    let seqs = world.told.iter().map(|(_, told)| {
        let read: Value = serde_json::from_str(&told.to_json()).expect("JSON");
        read["seq"].as_u64().expect("a number")
    });
    assert!(seqs.eq(1..=world.told.len() as u64), "seed {seed}");
    while world.streams.iter().any(|own| own.until.is_none()) {
        world.end();
    }
    for listener in std::mem::take(&mut world.listeners) {
        world.roster.ignore(&listener.topic);
    }
    world.pass(Duration::from_secs(5));
    let roster = &world.roster;
    assert_eq!((roster.members(), roster.bytes()), (0, 0), "seed {seed}");
    assert!(
        roster.audiences.is_empty() && roster.leaving.is_empty(),
        "seed {seed}"
    );
    assert_eq!(roster.due(), None, "seed {seed}");
}

#[test]
fn who_is_there_and_what_is_told_of_it_are_what_a_naive_roster_says() {
    for seed in 0..600 {
        check_seed(seed);
    }
}
