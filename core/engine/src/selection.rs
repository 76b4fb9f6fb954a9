//! Which of a track's objects one subscription or FETCH gets: a range of locations, and range filters.
//!
//! A location filter is resolved once, against the largest object known when it is processed; from then on it is a
//! range, both ends included. Range filters (draft -20 on) are grouped into sets: an object passes if it passes all
//! filters of one set.

use bytes::Bytes;
use cc_session::Refusal;
use cc_wire::{codes, Filter, Location, Params, Properties, RangeFilter, RangeKind, RangeRule};

/// The last location there can be.
pub(crate) const END: Location = Location { group: u64::MAX, object: u64::MAX };

/// What of an object the filters look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) location: Location,
    /// None: it came in a datagram, and passes no filter of subgroups.
    pub(crate) subgroup: Option<u64>,
    pub(crate) priority: u8,
    /// Encoded.
    pub(crate) properties: &'a Bytes,
}

/// What passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) start: Location,
    pub(crate) end: Location,
    /// Filters of objects, by set; empty: every object passes.
    sets: Vec<Vec<RangeFilter>>,
}

impl Default for Selection {
    fn default() -> Self {
        Selection { start: Location::default(), end: END, sets: Vec::new() }
    }
}

/// The range that a filter means, the largest object being this one; `None`: nothing was published yet.
pub(crate) fn range(filter: Option<Filter>, largest: Option<Location>) -> (Location, Location) {
    let next_group = largest.map_or(0, |largest| largest.group.saturating_add(1));
    let group = |group| Location { group, object: 0 };
    match filter {
        None | Some(Filter::Unfiltered) => (Location::default(), END),
        Some(Filter::NextObject) => {
            let next = largest.map(|l| Location { group: l.group, object: l.object.saturating_add(1) });
            (next.unwrap_or_default(), END)
        }
        Some(Filter::NextGroup) => (group(next_group), END),
        Some(Filter::GroupsBack(back)) => (group(next_group.saturating_sub(back)), END),
        Some(Filter::AbsoluteStart(start)) => (start, END),
        Some(Filter::AbsoluteRange { start, end_group }) => (start, Location { group: end_group, object: u64::MAX }),
        Some(Filter::ObjectRange { start, end }) => (start, end),
    }
}

/// Whether range filters may be asked for: valid in themselves, none twice, and no more ranges than were `granted`
/// (MAX_FILTER_RANGES). Filters of tracks belong to SUBSCRIBE_TRACKS alone.
pub(crate) fn check(filters: &[RangeFilter], granted: u64, of_tracks: bool) -> Result<(), Refusal> {
    let invalid = |why: String| Err(Refusal::new(codes::request_error::INVALID_FILTER, why));
    let mut ranges = 0;
    for (at, filter) in filters.iter().enumerate() {
        if filter.kind == RangeKind::TrackProperty && !of_tracks {
            return invalid("a filter of tracks belongs to SUBSCRIBE_TRACKS".into());
        }
        match &filter.rule {
            RangeRule::Invalid(why) => return invalid((*why).into()),
            RangeRule::Remove => {}
            RangeRule::Keep { set, property, ranges: kept } => {
                ranges += kept.len() as u64;
                let same = |other: &RangeFilter| {
                    other.kind == filter.kind
                        && matches!(&other.rule, RangeRule::Keep { set: s, property: p, .. } if (s, p) == (set, property))
                };
                if filters[..at].iter().any(same) {
                    return invalid("the same filter twice in one set".into());
                }
            }
        }
    }
    if ranges > granted {
        return invalid(format!("{ranges} ranges in filters, and {granted} are granted (MAX_FILTER_RANGES)"));
    }
    Ok(())
}

/// The filters of objects that are left for a track with these properties, by set; `None`: the track does not pass.
fn sets(filters: &[RangeFilter], properties: &Properties) -> Option<Vec<Vec<RangeFilter>>> {
    let mut all: std::collections::BTreeMap<u8, Vec<&RangeFilter>> = std::collections::BTreeMap::new();
    for filter in filters {
        if let RangeRule::Keep { set, .. } = &filter.rule {
            all.entry(*set).or_default().push(filter);
        }
    }
    if all.is_empty() {
        return Some(Vec::new());
    }
    let mut left = Vec::new();
    for set in all.into_values() {
        let (of_tracks, of_objects): (Vec<_>, Vec<_>) =
            set.into_iter().partition(|filter| filter.kind == RangeKind::TrackProperty);
        let passes = of_tracks.iter().all(|filter| match &filter.rule {
            RangeRule::Keep { property: Some(property), ranges, .. } => {
                properties.get_int(*property).is_some_and(|value| ranges.iter().any(|range| range.contains(value)))
            }
            _ => false,
        });
        if passes {
            left.push(of_objects.into_iter().cloned().collect::<Vec<_>>());
        }
    }
    match left.is_empty() {
        true => None,
        // A set without a filter of objects passes them all, whatever the others say.
        false if left.iter().any(Vec::is_empty) => Some(Vec::new()),
        false => Some(left),
    }
}

impl Selection {
    /// What parameters select of a track; `None`: its properties do not pass their filters of tracks.
    pub(crate) fn new(params: &Params, properties: &Properties, largest: Option<Location>) -> Option<Selection> {
        let (start, end) = range(params.filter, largest);
        Some(Selection { start, end, sets: sets(&params.range_filters, properties)? })
    }

    /// The same with other range filters.
    pub(crate) fn refilter(&mut self, filters: &[RangeFilter]) {
        self.sets = sets(filters, &Properties::default()).unwrap_or_default();
    }

    /// Whether all from its start on passes.
    pub(crate) fn is_open(&self) -> bool {
        self.end == END && self.sets.is_empty()
    }

    /// Whether an object passes.
    pub(crate) fn passes(&self, facts: &Facts<'_>) -> bool {
        let inside = self.start <= facts.location && facts.location <= self.end;
        inside && (self.sets.is_empty() || self.sets.iter().any(|set| set.iter().all(|filter| holds(filter, facts))))
    }

    /// Whether all objects of a group pass for certain.
    pub(crate) fn whole_group(&self, group: u64) -> bool {
        let (first, last) = (Location { group, object: 0 }, Location { group, object: u64::MAX });
        self.sets.is_empty() && self.start <= first && last <= self.end
    }

    /// Whether objects of a group may be left out that come after one that passed.
    pub(crate) fn cuts(&self, group: u64) -> bool {
        !self.sets.is_empty() || self.end < Location { group, object: u64::MAX }
    }

    /// Whether some location of a group passes.
    pub(crate) fn touches(&self, group: u64) -> bool {
        self.start.group <= group && group <= self.end.group
    }
}

fn holds(filter: &RangeFilter, facts: &Facts<'_>) -> bool {
    let RangeRule::Keep { property, ranges, .. } = &filter.rule else { return false };
    let value = match filter.kind {
        RangeKind::Subgroup => facts.subgroup,
        RangeKind::ObjectId => Some(facts.location.object),
        RangeKind::Priority => Some(u64::from(facts.priority)),
        RangeKind::ObjectProperty => {
            property.and_then(|property| Properties::decode(facts.properties).ok().and_then(|p| p.get_int(property)))
        }
        // Of tracks, and settled before any object came.
        RangeKind::TrackProperty => return true,
    };
    value.is_some_and(|value| ranges.iter().any(|range| range.contains(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cc_wire::{Range, Value};

    fn at(group: u64, object: u64) -> Location {
        Location { group, object }
    }

    fn keep(kind: RangeKind, set: u8, property: Option<u64>, ranges: &[(u64, Option<u64>)]) -> RangeFilter {
        let ranges = ranges.iter().map(|(start, end)| Range { start: *start, end: *end }).collect();
        RangeFilter { kind, rule: RangeRule::Keep { set, property, ranges } }
    }

    fn facts(location: Location, subgroup: Option<u64>, priority: u8) -> Facts<'static> {
        static NONE: Bytes = Bytes::new();
        Facts { location, subgroup, priority, properties: &NONE }
    }

    #[test]
    fn where_each_filter_begins_and_ends() {
        let largest = Some(at(7, 3));
        let last = |group| at(group, u64::MAX);
        let cases = [
            (None, largest, (at(0, 0), END)),
            (Some(Filter::Unfiltered), largest, (at(0, 0), END)),
            (Some(Filter::NextObject), largest, (at(7, 4), END)),
            (Some(Filter::NextObject), None, (at(0, 0), END)),
            (Some(Filter::NextGroup), largest, (at(8, 0), END)),
            (Some(Filter::NextGroup), None, (at(0, 0), END)),
            (Some(Filter::GroupsBack(1)), largest, (at(7, 0), END)),
            (Some(Filter::GroupsBack(9)), largest, (at(0, 0), END)),
            (Some(Filter::AbsoluteStart(at(2, 1))), largest, (at(2, 1), END)),
            (Some(Filter::AbsoluteRange { start: at(2, 1), end_group: 4 }), largest, (at(2, 1), last(4))),
            (Some(Filter::ObjectRange { start: at(2, 1), end: at(2, 5) }), largest, (at(2, 1), at(2, 5))),
        ];
        for (filter, largest, expected) in cases {
            assert_eq!(range(filter, largest), expected, "{filter:?} {largest:?}");
        }
    }

    #[test]
    fn all_of_one_set_or_all_of_another() {
        let filters = [
            keep(RangeKind::Subgroup, 0, None, &[(1, Some(2))]),
            keep(RangeKind::Priority, 0, None, &[(0, Some(9))]),
            keep(RangeKind::ObjectId, 1, None, &[(5, Some(5)), (9, None)]),
        ];
        let params = Params { range_filters: filters.to_vec(), ..Params::default() };
        let selection = Selection::new(&params, &Properties::default(), None).unwrap();
        assert!(selection.passes(&facts(at(0, 0), Some(1), 9)));
        assert!(!selection.passes(&facts(at(0, 0), Some(1), 10)));
        assert!(!selection.passes(&facts(at(0, 0), Some(3), 0)));
        assert!(selection.passes(&facts(at(0, 5), Some(3), 99)));
        assert!(!selection.passes(&facts(at(0, 6), Some(3), 99)));
        assert!(selection.passes(&facts(at(0, 1 << 40), None, 99)));
        assert!(!selection.passes(&facts(at(0, 0), None, 0)), "a datagram has no subgroup");
        assert!(!selection.whole_group(3));
    }

    #[test]
    fn filters_of_tracks_choose_the_track_and_the_sets_that_are_left() {
        let filters = [
            keep(RangeKind::TrackProperty, 0, Some(0x3802), &[(7, Some(7))]),
            keep(RangeKind::TrackProperty, 1, Some(0x3802), &[(8, Some(8))]),
            keep(RangeKind::Priority, 1, None, &[(0, Some(9))]),
        ];
        let params = Params { range_filters: filters.to_vec(), ..Params::default() };
        let of = |value| {
            let mut properties = Properties::default();
            properties.insert(0x3802, Value::Int(value)).unwrap();
            Selection::new(&params, &properties, None)
        };
        assert!(of(7).unwrap().whole_group(0));
        let eight = of(8).unwrap();
        assert!(eight.passes(&facts(at(0, 0), None, 9)) && !eight.passes(&facts(at(0, 0), None, 10)));
        assert_eq!(of(9), None);
        assert_eq!(Selection::new(&params, &Properties::default(), None), None);
    }

    #[test]
    fn what_is_refused() {
        let one = keep(RangeKind::Priority, 0, None, &[(0, Some(1)), (3, None)]);
        assert!(check(std::slice::from_ref(&one), 2, false).is_ok());
        let code = |filters: &[RangeFilter], granted, tracks| check(filters, granted, tracks).unwrap_err().code;
        let invalid = codes::request_error::INVALID_FILTER;
        assert_eq!(code(std::slice::from_ref(&one), 1, false), invalid);
        assert_eq!(code(&[one.clone(), one.clone()], 9, false), invalid);
        let track = keep(RangeKind::TrackProperty, 0, Some(2), &[(0, None)]);
        assert_eq!(code(std::slice::from_ref(&track), 9, false), invalid);
        assert!(check(&[track], 9, true).is_ok());
        let broken = RangeFilter { kind: RangeKind::Priority, rule: RangeRule::Invalid("no") };
        assert_eq!(code(&[broken], 9, true), invalid);
    }
}
