import { type AdmitOptions, type AdmitParams, admit } from "../admit.js";
import type { UsageTracker } from "../tracker.js";
import { rethrow } from "./errors.js";

/** What a middleware has to pass on: a result of `next()`. */
type Result = { ok: boolean; error?: unknown };

/**
 * A middleware that turns denials, thrown anywhere in a procedure, into TOO_MANY_REQUESTS:
 * `t.procedure.use(usageErrors())`.
 */
export function usageErrors() {
	return async <R extends Result>({ next }: { next: () => Promise<R> }): Promise<R> => {
		const result = await next();
		if (!result.ok) rethrow(result.error);
		return result;
	};
}

/**
 * A middleware that lets a procedure run if the limits admit it. After `.input(…)` the parameters can depend on it:
 *
 *	protectedProcedure.input(schema).use(limitProcedure(usage, ({ ctx, input }) => ({
 *		userId: ctx.session.user.id, usageType: "export", eventSubtype: input.format })))
 */
export function limitProcedure<Context, Input>(
	usage: UsageTracker,
	params: (options: { ctx: Context; input: Input }) => AdmitParams | Promise<AdmitParams>,
	options: AdmitOptions = {},
) {
	return async <R extends Result>({
		ctx,
		input,
		next,
	}: {
		ctx: Context;
		input: Input;
		next: () => Promise<R>;
	}): Promise<R> => {
		try {
			return await admit(usage, await params({ ctx, input }), options, async (_decision, failed) => {
				const result = await next();
				if (!result.ok) {
					failed(result.error);
					rethrow(result.error);
				}
				return result;
			});
		} catch (error) {
			rethrow(error);
			throw error;
		}
	};
}
