/** Time is a parameter everywhere; only the composition root passes this one. */
export type Clock = () => Date
export const systemClock: Clock = () => new Date()
