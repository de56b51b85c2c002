// Why a direct message is not possible.

import { inWords } from './words.js';

export const NO_ACCOUNT = 'There is no account with this name any more.';

const WORDS = {
  not_found: 'There is no account with this name.',
  forbidden: 'You can’t write to yourself.',
  limit_reached: 'Your list of rooms, or theirs, is full.',
};

export const whyNotDirect = (error) => WORDS[error.code] ?? inWords(error);
