import { join } from 'node:path';
import { datasetFolder } from '../datasets/fetch.ts';
import { projectRoot } from './runs-folder.ts';

/** Where fetched data sets lie: `data/cache` of the Gibbs checkout that holds the working directory. */
export function dataCache(): string {
  return join(projectRoot(), 'data', 'cache');
}

/** The folder of a data set: the user's own where one is named, else the fetched one. */
export function dataFolder(name: string, own?: string): string {
  return own ?? datasetFolder(dataCache(), name);
}
