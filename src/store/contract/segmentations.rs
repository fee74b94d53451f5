//! Definitions of segmentations.

use super::Place;
use super::samples::*;
use crate::domain::{Algorithm, BlockChoice, Definition, Inputs, KChoice, Picked, Segmentation};

pub(crate) async fn editing_a_segmentation_keeps_its_birth_and_its_live_version(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    let first = segmentation("needs");
    assert_eq!(store.segmentation(&a, &first.name).await.unwrap(), None);
    // What is new has no version, whatever it says.
    let claims = Segmentation { live_version: Some(9), ..first.clone() };
    assert_eq!(store.put_segmentation(&a, &claims).await.unwrap(), first);
    store.publish(&a, &version("needs", 1), &[]).await.unwrap();

    // Each way of saying what counts comes back, texts alone among them.
    let picked = Picked { only: vec!["recency".into()], without: vec!["语*".into()] };
    let auto = Inputs { blocks: BlockChoice::Auto, features: picked, ..Inputs::default() };
    let (k, algorithm) = (KChoice::Fixed(7), Algorithm::KMeans);
    for inputs in [auto, Inputs::default(), Inputs::text_alone()] {
        let definition = Definition { model: "other".into(), k, seed: 0, inputs, algorithm };
        let asked = Segmentation { definition, live_version: Some(1), ..first.clone() };
        assert_eq!(store.put_segmentation(&a, &asked).await.unwrap(), asked);
    }
    let definition = Definition { model: "other".into(), k, seed: 0, inputs: Inputs::text_alone(), algorithm };
    let edited =
        Segmentation { definition: definition.clone(), created_at: at(99), live_version: None, ..first.clone() };
    let expected = Segmentation { definition, live_version: Some(1), ..first };
    assert_eq!(store.put_segmentation(&a, &edited).await.unwrap(), expected);
    assert_eq!(store.segmentation(&a, &edited.name).await.unwrap(), Some(expected));
    // A version keeps what it was fitted with.
    let kept = store.version(&a, &edited.name, 1).await.unwrap().unwrap();
    assert_eq!(kept.definition, version("needs", 1).definition);
}

pub(crate) async fn segmentations_come_by_name(place: &dyn Place) {
    let store = place.open().await;
    let a = workspace(&*store, "a").await;
    for text in ["b", "a_b", "a", "a-b", "0"] {
        store.put_segmentation(&a, &segmentation(text)).await.unwrap();
    }
    let names: Vec<_> = store.segmentations(&a).await.unwrap().into_iter().map(|s| s.name.to_string()).collect();
    assert_eq!(names, ["0", "a", "a-b", "a_b", "b"]);
}
