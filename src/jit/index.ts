export { type GradOptions, grad, stopGradient, type ValueAndGrad, valueAndGrad } from './grad.ts';
export { type Tensor, tf } from './tf.ts';
