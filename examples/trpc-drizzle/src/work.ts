/** The work that costs something: stand-ins, which take a moment, and fail when told to. */

import { setTimeout as sleep } from "node:timers/promises";

export async function renderVideo({ format }: { format: string }): Promise<{ bytes: number }> {
	await sleep(20);
	if (format === "broken") throw new Error("the renderer has crashed");
	return { bytes: 1_000_000 };
}

export async function generateScene({ prompt }: { prompt: string }): Promise<{ tokensUsed: number }> {
	await sleep(10);
	if (prompt === "") throw new Error("the model has no idea");
	return { tokensUsed: prompt.length * 3 };
}
