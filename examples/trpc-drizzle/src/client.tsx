import { createTRPCClient, httpBatchLink } from "@trpc/client";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { usageLimitOf } from "usage-limits";
import { trpcSource, UsageDisplay, UsageProvider, useUsageLimits } from "usage-limits/react";
import type { AppRouter } from "./router.js";

const user = new URLSearchParams(location.search).get("user") ?? "ann";
const api = createTRPCClient<AppRouter>({
	links: [httpBatchLink({ url: "/trpc", headers: { "x-user": user } })],
});
const source = trpcSource(api.usage);

function Studio() {
	const { canExport, canGenerate, refetch } = useUsageLimits();
	const [message, setMessage] = useState("");
	const perform = (work: () => Promise<unknown>, done: string) => async () => {
		try {
			await work();
			setMessage(done);
		} catch (error) {
			const limit = usageLimitOf(error);
			setMessage(limit ? limit.message : String(error));
		}
		await refetch();
	};
	return (
		<main style={{ maxWidth: 420, margin: "40px auto", fontFamily: "system-ui, sans-serif" }}>
			<h1>Studio of {user}</h1>
			<UsageDisplay
				title="Usage Today"
				names={["prompts", "exports"]}
				labels={{ prompts: "AI Generations", exports: "Video Exports" }}
			/>
			<p>
				<button
					type="button"
					disabled={!canGenerate}
					onClick={perform(() => api.generateScene.mutate({ prompt: "a cat" }), "Generated.")}
				>
					Generate a scene
				</button>{" "}
				<button
					type="button"
					disabled={!canExport}
					onClick={perform(() => api.exportVideo.mutate({ format: "mp4" }), "Exported.")}
				>
					Export the video
				</button>
			</p>
			<p role="status">{message}</p>
		</main>
	);
}

createRoot(document.getElementById("root") as HTMLElement).render(
	<StrictMode>
		<UsageProvider source={source}>
			<Studio />
		</UsageProvider>
	</StrictMode>,
);
