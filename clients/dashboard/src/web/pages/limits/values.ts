/** A limit's values as they stand in a form, and what is wrong with them. */
import type { Tier } from "../Limits";

export interface TierField {
	text: string;
	unlimited: boolean;
}

export type TierFields = Record<Tier, TierField>;

const most = 1e15;

export const toField = (value: number): TierField => ({
	text: value === -1 ? "" : String(value),
	unlimited: value === -1,
});

/** The number that a field holds, or why it holds none. */
export function fieldValue({ text, unlimited }: TierField): { value: number } | { error: string } {
	if (unlimited) return { value: -1 };
	const plain = text.replace(/[\s,_']/g, "");
	if (plain === "") return { error: "Give a number, or choose unlimited." };
	if (!/^\d+$/.test(plain)) return { error: "A whole number, 0 or more." };
	const value = Number(plain);
	return value > most ? { error: "At most 10¹⁵." } : { value };
}

export function fieldValues(fields: TierFields): {
	values?: Record<Tier, number>;
	errors: Partial<Record<Tier, string>>;
} {
	const values: Partial<Record<Tier, number>> = {};
	const errors: Partial<Record<Tier, string>> = {};
	for (const tier of Object.keys(fields) as Tier[]) {
		const read = fieldValue(fields[tier]);
		if ("value" in read) values[tier] = read.value;
		else errors[tier] = read.error;
	}
	return Object.keys(errors).length > 0 ? { errors } : { values: values as Record<Tier, number>, errors };
}
