import { initTRPC, TRPCError } from "@trpc/server";
import { usageErrorFormatter, usageErrors, usageProcedures } from "usage-limits/trpc";
import { z } from "zod";
import { db, usageLimiter, usageTracker } from "./db.js";
import { scenes, videos } from "./schema.js";
import { generateScene, renderVideo } from "./work.js";

export interface Context {
	/** The user of the session; this example believes a header. */
	userId: string | undefined;
}

const t = initTRPC.context<Context>().create({ errorFormatter: usageErrorFormatter });

const protectedProcedure = t.procedure.use(usageErrors()).use(({ ctx, next }) => {
	if (ctx.userId === undefined) throw new TRPCError({ code: "UNAUTHORIZED" });
	return next({ ctx: { userId: ctx.userId } });
});

export const appRouter = t.router({
	usage: usageProcedures({
		procedure: protectedProcedure,
		usage: usageTracker,
		userId: (ctx) => ctx.userId,
	}),

	/** Long work, outside of any transaction: held while it renders, used when it succeeds, given back when it fails. */
	exportVideo: protectedProcedure
		.input(z.object({ format: z.string().default("mp4"), quality: z.string().optional() }))
		.mutation(({ ctx: { userId }, input }) =>
			usageTracker.withHold(
				{ userId, usageType: "export", eventSubtype: input.format, metadata: input },
				async () => {
					const { bytes } = await renderVideo(input);
					const [video] = await db
						.insert(videos)
						.values({ ownerId: userId, format: input.format })
						.returning();
					return { id: video?.id, bytes };
				},
			),
		),

	/** As it was written before there was an extension: asks, works, tracks. */
	generateScene: protectedProcedure
		.input(z.object({ prompt: z.string(), model: z.string().default("gpt-4o-mini") }))
		.mutation(async ({ ctx: { userId }, input }) => {
			await usageLimiter.checkActionAllowed({ userId, action: "generate_scene" });
			const startTime = Date.now();
			const event = { userId, usageType: "prompt", eventSubtype: input.model };
			try {
				const { tokensUsed } = await generateScene(input);
				await usageTracker.trackUsage({ ...event, tokensUsed, durationMs: Date.now() - startTime });
				return { tokensUsed };
			} catch (error) {
				const errorMessage = error instanceof Error ? error.message : String(error);
				await usageTracker.trackUsage({
					...event,
					status: "failed",
					errorMessage,
					durationMs: Date.now() - startTime,
				});
				throw error;
			}
		}),

	/** Short work in one transaction: the scene and its use are both committed, or neither is. */
	saveScene: protectedProcedure
		.input(z.object({ prompt: z.string().min(1) }))
		.mutation(({ ctx: { userId }, input }) =>
			db.transaction(async (tx) => {
				const [scene] = await tx.insert(scenes).values({ ownerId: userId, prompt: input.prompt }).returning();
				await usageTracker.with(tx).enforce({ userId, usageType: "project_create" });
				return { id: scene?.id };
			}),
		),
});

export type AppRouter = typeof appRouter;
