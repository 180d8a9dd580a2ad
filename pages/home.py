"""Home: what this is, what there is, and the next step."""

import streamlit as st

from cxrcore import demo, runs
from cxrcore.data import dataset
from cxrcore.jobs import queue
from cxrcore.training import config
from cxrcore.ui import choose, entry, messages, progress

entry.required()
st.title("Chest X-ray studio")
st.markdown(
    "Train a classifier on chest X-rays, test it, see where it looks, and find out what it really learned. "
    "On this machine: no image leaves it."
)
st.warning(f"{messages.NOTICE} A model trained here may be right for the wrong reasons.", icon=":material/warning:")

with messages.friendly():
    queue.dispatch()  # a worker that died is said to have, and whoever waits starts
names, found = dataset.names(), runs.listing()

if not found:
    st.subheader("Start here")
    st.markdown(
        "See the whole journey in about 20 seconds, without a network: the studio draws synthetic X-rays "
        "(**phantoms**) of patients with and without disease and trains its own small network on them."
    )
    if st.button("Draw phantoms and train", type="primary", icon=":material/play_arrow:"):
        with messages.friendly():
            move = progress.bar("Drawing phantoms")
            data = demo.prepare(lambda stage, done, total: move(done, total))
            run = queue.submit(config.make(dataset=data.name))
            st.switch_page("pages/train.py", query_params={"run": run.name})
    st.caption("Or begin with your own images on the Data page.")

st.subheader("The journey")
steps = st.columns(4)
for column, (title, text, page, icon) in zip(
    steps,
    [
        ("1. Data", "Import X-rays or draw phantoms; look at what is in them.", "data", "folder_open"),
        ("2. Train", "Choose a backbone and a recipe; watch it learn.", "train", "model_training"),
        ("3. Results", "How often it is right, and how sure that is.", "results", "analytics"),
        ("4. Explain", "Where it looks, image by image.", "explain", "visibility"),
    ],
    strict=True,
):
    with column.container(border=True, height="stretch"):
        st.page_link(f"pages/{page}.py", label=f"**{title}**", icon=f":material/{icon}:")
        st.caption(text)

if names:
    st.subheader("Datasets")
    rows = []
    for name in names:
        data = dataset.load(name)
        rows.append({"name": name, "images": len(data.usable), "classes": ", ".join(data.classes)})
    st.dataframe(rows, hide_index=True)

if found:
    st.subheader("Latest runs")
    for run in found[:5]:
        target = "results" if run.metrics else "train"
        st.page_link(f"pages/{target}.py", label=choose.run_label(run), query_params={"run": run.name})
