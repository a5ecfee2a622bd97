import "@fontsource-variable/inter/index.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/controls.css";
import "./styles/pages.css";
import "./theme";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "./api";
import { Toasts } from "./components/toasts";
import { followLink } from "./link";
import { router } from "./router";

const root = document.getElementById("root");
if (!root) throw new Error("the page has no root");
await followLink();
createRoot(root).render(
	<StrictMode>
		<QueryClientProvider client={queryClient}>
			<RouterProvider router={router} />
			<Toasts />
		</QueryClientProvider>
	</StrictMode>,
);
