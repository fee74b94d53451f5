"""The rivals, on the same vectors: BERTopic's recipe with either clusterer, and scikit-learn's KMeans."""

import warnings

import numpy as np
from sklearn.cluster import KMeans

warnings.filterwarnings("ignore")


def kmeans(points, k, seed):
    return KMeans(n_clusters=k, n_init=10, random_state=seed).fit_predict(points)


def bertopic(texts, vectors, clusterer, seed):
    """Topics of the texts; what HDBSCAN leaves out is assigned by BERTopic's own reduction of outliers, which scores better."""
    from bertopic import BERTopic
    from umap import UMAP

    umap = UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=seed)
    model = BERTopic(umap_model=umap, hdbscan_model=clusterer, calculate_probabilities=False, verbose=False)
    topics, _ = model.fit_transform(list(texts), vectors)
    if -1 in topics and set(topics) != {-1}:
        topics = model.reduce_outliers(list(texts), topics, strategy="embeddings", embeddings=vectors)
    return np.array(topics)


def bertopic_hdbscan(texts, vectors, k, seed):
    from hdbscan import HDBSCAN

    # BERTopic's own default.
    clusterer = HDBSCAN(min_cluster_size=10, metric="euclidean", cluster_selection_method="eom", prediction_data=True)
    return bertopic(texts, vectors, clusterer, seed)


def bertopic_kmeans(texts, vectors, k, seed):
    return bertopic(texts, vectors, KMeans(n_clusters=k, n_init=10, random_state=seed), seed)
