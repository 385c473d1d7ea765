/** The kernel of `rankMean`; TensorFlow.js has none like it. */
export const RANK_MEAN = 'GibbsRankMean';
