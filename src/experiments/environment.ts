export { type Environment, environment } from '../train/environment.ts';
