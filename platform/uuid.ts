const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Whether a text can be compared with a `uuid` column: anything else would be an error of the database. */
export const isUuid = (text: string): boolean => UUID.test(text)
