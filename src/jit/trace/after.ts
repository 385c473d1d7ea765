/** The kernel that hands on its operand `x` once `y` is there; TensorFlow.js has none like it. */
export const AFTER = 'GibbsAfter';
