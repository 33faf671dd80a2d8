// A Leaflet layer that is one canvas over the whole map, drawn by its owner: the way to show thousands of things.

/**
 * Makes a layer that calls `draw(context, view)` whenever the map moves and after `redraw()`. `view` has the size in
 * CSS pixels, `project(latLng)` to a point on the canvas, and `scale`/`left`/`top` for world coordinates at zoom 0
 * (x · scale − left), which spares projecting thousands of points per frame.
 */
export function canvasLayer(L, { pane, draw }) {
    let map = null;
    let canvas = null;
    let zooming = false;
    let frame = null;

    function place() {
        if (zooming) return;
        const size = map.getSize();
        const ratio = devicePixelRatio || 1;
        if (canvas.width !== Math.round(size.x * ratio) || canvas.height !== Math.round(size.y * ratio)) {
            canvas.width = Math.round(size.x * ratio);
            canvas.height = Math.round(size.y * ratio);
            canvas.style.width = `${size.x}px`;
            canvas.style.height = `${size.y}px`;
        }
        L.DomUtil.setPosition(canvas, map.containerPointToLayerPoint([0, 0]));
        paint(size, ratio);
    }

    function paint(size, ratio) {
        const context = canvas.getContext("2d");
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        context.clearRect(0, 0, size.x, size.y);
        const origin = map.getPixelBounds().min;
        draw(context, {
            width: size.x,
            height: size.y,
            ratio,
            scale: 2 ** map.getZoom(),
            left: origin.x,
            top: origin.y,
            project: (latLng) => map.latLngToContainerPoint(latLng),
        });
    }

    const Layer = L.Layer.extend({
        onAdd(target) {
            map = target;
            canvas = L.DomUtil.create("canvas", "leaflet-zoom-animated");
            canvas.style.pointerEvents = "none";
            canvas.setAttribute("aria-hidden", "true");
            map.getPane(pane).append(canvas);
            place();
        },
        getEvents() {
            return {
                move: place,
                resize: place,
                viewreset: place,
                zoomstart: () => {
                    zooming = true;
                },
                zoomend: () => {
                    zooming = false;
                    place();
                },
                moveend: place,
                zoomanim: (event) => {
                    // The picture is stretched while the zoom runs, as Leaflet does with its own renderers.
                    const scale = map.getZoomScale(event.zoom, map.getZoom());
                    const corner = map.project(map.containerPointToLatLng([0, 0]), event.zoom);
                    const centre = map.project(event.center, event.zoom).subtract(map.getSize().divideBy(2));
                    const base = map.containerPointToLayerPoint([0, 0]);
                    L.DomUtil.setTransform(canvas, base.add(corner.subtract(centre)), scale);
                },
            };
        },
        /** Draws again with the next frame. */
        redraw() {
            if (frame !== null || !map) return;
            frame = requestAnimationFrame(() => {
                frame = null;
                place();
            });
        },
    });
    return new Layer();
}
