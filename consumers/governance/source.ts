/** Where the analyzer's events come from. */
export const SOURCE = '//atom/governance'
