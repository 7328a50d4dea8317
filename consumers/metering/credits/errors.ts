import { defineErrors } from '../../../platform/errors.ts'

export const creditError = defineErrors({
  credit_invalid: { status: 400, title: 'The credit cannot be granted' },
  credit_conflict: { status: 409, title: 'The reference was used for another credit' },
  credit_spent: { status: 409, title: 'Nothing is left of the credit' },
  deduction_invalid: { status: 400, title: 'The deduction cannot be made' },
  deduction_conflict: { status: 409, title: 'The id was used for another deduction' },
  credits_insufficient: { status: 409, title: 'The prepaid credits are not enough' },
})
