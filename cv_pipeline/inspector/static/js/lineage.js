// The lineage is wider than a narrow screen: what was asked for is brought into view.
for (const box of document.querySelectorAll("[data-lineage]")) {
  const self = box.querySelector(".self .box");
  if (self) {
    const left = self.x.baseVal.value + self.width.baseVal.value / 2;
    box.scrollLeft = left - box.clientWidth / 2;
  }
}
