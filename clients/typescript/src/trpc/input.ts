/** Validators for the few shapes of input here: functions, which tRPC takes as it takes a schema of a library. */

type Validator<T> = (value: unknown) => T;

function expected(what: string): never {
	throw new TypeError(`expected ${what}`);
}

export const string: Validator<string> = (value) =>
	typeof value === "string" ? value : expected("a string");

export const number: Validator<number> = (value) =>
	typeof value === "number" && Number.isFinite(value) ? value : expected("a number");

export const optional =
	<T>(validator: Validator<T>): Validator<T | undefined> =>
	(value) =>
		value === undefined || value === null ? undefined : validator(value);

/** An object with these properties, and with others of any kind: the database checks those. */
export const object =
	(properties: Record<string, Validator<unknown>>): Validator<Record<string, unknown>> =>
	(value) => {
		if (typeof value !== "object" || value === null || Array.isArray(value)) return expected("an object");
		const result: Record<string, unknown> = { ...value };
		for (const [name, validator] of Object.entries(properties)) result[name] = validator(result[name]);
		return result;
	};
