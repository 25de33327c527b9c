/// How pages look: light and dark, on a screen, a phone and paper. Nothing is loaded from elsewhere.
enum PageStyle {
  static let css = """
    :root{color-scheme:light dark;--bg:#f4f6f8;--card:#fff;--ink:#1a1f26;--soft:#545f6c;--line:#d9dfe6;--bar:#3a6fd0;\
    --area:#3a6fd022;--second:#8a4600;--ok:#12703a;--okbg:#e5f4ea;--bad:#b4231a;--badbg:#fdeceb;--warn:#7a4d00;\
    --warnbg:#fff3d4;--code:#eef1f5}
    @media (prefers-color-scheme:dark){:root{--bg:#0e1116;--card:#171c22;--ink:#e7ebf0;--soft:#9ba7b4;--line:#2c343e;\
    --bar:#6fa0f5;--area:#6fa0f526;--second:#f0a35e;--ok:#5fcb83;--okbg:#12291b;--bad:#ff8d84;--badbg:#361a1a;\
    --warn:#e9bb55;--warnbg:#2f2610;--code:#20262e}}
    *{box-sizing:border-box}
    html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
    body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,\
    "Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
    main{max-width:1040px;margin:0 auto;padding:28px 20px 48px}
    h1{font-size:1.7rem;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
    h2{font-size:1.3rem;margin:0;line-height:1.3}
    h3{font-size:1.02rem;margin:0}
    .card h2,.card h3{margin-bottom:12px}
    p{margin:0 0 10px}
    a{color:var(--bar)}
    code,pre{font:.86em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
    code{overflow-wrap:anywhere;white-space:pre-wrap}
    pre{margin:0;padding:12px 14px;background:var(--code);border-radius:8px;white-space:pre-wrap;overflow-wrap:anywhere}
    .copy{-webkit-user-select:all;user-select:all}
    .sub{color:var(--soft);margin:0;overflow-wrap:anywhere}
    .sub span{white-space:nowrap}.sub span.wide{white-space:normal}
    .unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
    .card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 20px;margin:16px 0 0}
    .verdict{display:flex;gap:14px;align-items:flex-start;border-radius:12px;padding:16px 20px;margin:18px 0 0;\
    border:1px solid;background:var(--card)}
    .verdict .icon{width:34px;height:34px;flex:none;margin-top:1px}
    .verdict strong{display:block;font-size:1.3rem;line-height:1.3;letter-spacing:.01em}
    .verdict strong::first-letter{text-transform:uppercase}
    .verdict p{margin:2px 0 0;color:var(--ink)}
    .yes{color:var(--ok)}.no{color:var(--bad)}.open{color:var(--warn)}.none{color:var(--soft)}
    .verdict.yes{background:var(--okbg)}.verdict.no{background:var(--badbg)}.verdict.open{background:var(--warnbg)}
    .icon{width:18px;height:18px;flex:none;vertical-align:-3px}
    .icon path{fill:none;stroke:currentColor;stroke-width:2.4;stroke-linecap:round;stroke-linejoin:round}
    .icon circle{fill:none;stroke:currentColor;stroke-width:2}
    .run{margin-top:44px;padding-top:28px;border-top:2px solid var(--line)}
    .figures{display:flex;flex-wrap:wrap;gap:1px;list-style:none;padding:0;\
    background:var(--card);border:1px solid var(--line);border-radius:12px;overflow:hidden;margin:16px 0 0}
    .figures li{flex:1 1 auto;min-width:128px;padding:12px 16px;box-shadow:0 0 0 1px var(--line)}
    .figures span,.figures small{display:block;color:var(--soft);font-size:.84rem}
    .figures b{display:block;font-size:1.34rem;font-weight:600;line-height:1.35;white-space:nowrap}
    .figures b.no{color:var(--bad)}
    .claims{list-style:none;margin:0;padding:0}
    .claims li{display:flex;gap:10px;padding:6px 0;border-top:1px solid var(--line)}
    .claims li:first-child{border-top:0;padding-top:0}.claims li:last-child{padding-bottom:0}
    .claims .icon{margin-top:3px}
    .claims span{color:var(--ink)}
    .claims em{font-style:normal;color:var(--soft)}
    .claims .no b{color:var(--bad)}.claims .open b{color:var(--warn)}
    figure{margin:0}figure+figure,.note+figure{margin-top:28px}figure+details,.scroll+details,p+details,pre+details,\
    .note+.scroll{margin-top:14px}
    figcaption{font-weight:600;font-size:.95rem;margin-bottom:10px}
    .keys{font-weight:400;color:var(--soft);font-size:.86rem;margin-left:6px}
    .key{white-space:nowrap;margin-right:10px}
    .key i{display:inline-block;width:14px;height:11px;border-radius:2px;margin-right:6px;vertical-align:-1px;\
    background:var(--bar)}
    .key i.failed{background:repeating-linear-gradient(0deg,var(--bad) 0 2px,var(--card) 2px 4px);outline:1px solid \
    var(--bad);outline-offset:-1px}
    .key i.line,.key i.second{height:0;border-top:3px solid var(--bar);background:none;vertical-align:4px;width:18px;\
    border-radius:0}
    .key i.second{border-top:3px dashed var(--second)}
    .key i.gap{background:repeating-linear-gradient(0deg,var(--soft) 0 1px,var(--card) 1px 4px);outline:1px solid \
    var(--soft);outline-offset:-1px}
    .plot{display:grid;grid-template-columns:auto 1fr;grid-template-rows:auto 22px;column-gap:8px;min-width:0}
    .plot .y{position:relative;min-width:44px;font-size:.76rem;color:var(--soft)}
    .plot .y span{position:absolute;right:0;transform:translateY(50%);line-height:1;white-space:nowrap}
    .plot svg{display:block;width:100%;height:200px;overflow:visible}
    .plot .x{grid-column:2;position:relative;font-size:.76rem;color:var(--soft)}
    .plot .x span{position:absolute;top:5px;transform:translateX(-50%);line-height:1.2;white-space:nowrap}
    .plot .x span.l{transform:none}.plot .x span.r{transform:translateX(-100%)}
    .grid{stroke:var(--line);stroke-width:1;fill:none;vector-effect:non-scaling-stroke}
    .bar{fill:var(--bar)}.failed{fill:url(#failed)}
    .hit{fill:#0000}.hit:hover{fill:var(--area)}
    .line{fill:none;stroke:var(--bar);stroke-width:2;vector-effect:non-scaling-stroke;stroke-linejoin:round;\
    stroke-linecap:round}
    .line.second{stroke:var(--second);stroke-dasharray:5 5}
    .area{fill:var(--area)}
    .gap{fill:url(#unknown);opacity:.55}
    .tight{white-space:nowrap}.name{overflow-wrap:anywhere}
    .rule{stroke:var(--ink);stroke-width:1;stroke-dasharray:3 3;fill:none;vector-effect:non-scaling-stroke}
    .note{color:var(--soft);font-size:.86rem;margin:8px 0 0}
    .small{display:grid;grid-template-columns:repeat(auto-fill,minmax(135px,1fr));gap:14px 18px}
    .small figure{margin:0;min-width:0}
    .small figcaption{font-size:.8rem;margin-bottom:4px;font-weight:400;color:var(--soft)}
    .small figcaption b{color:var(--ink)}
    .small svg{display:block;width:100%;height:54px;border-bottom:1px solid var(--line);overflow:hidden}
    .group{font-weight:600;font-size:.95rem;margin:26px 0 10px}
    .scroll{overflow-x:auto;max-width:100%}
    table{border-collapse:collapse;font-size:.9rem;width:100%}
    th,td{text-align:left;padding:6px 14px 6px 0;border-top:1px solid var(--line);vertical-align:top}
    tbody th{font-weight:500}
    thead th{color:var(--soft);font-weight:500;border-top:0;white-space:nowrap;font-size:.84rem}
    .n{text-align:right;white-space:nowrap}
    th:last-child,td:last-child{padding-right:0}
    .bars td:last-child{width:70%}
    .meter{display:block;min-width:80px;height:10px;margin-top:6px;background:var(--area);border-radius:3px}
    .meter i{display:block;height:10px;background:var(--bar);border-radius:3px;min-width:1px}
    details{font-size:.95rem}details+details{margin-top:4px}
    summary{cursor:pointer;color:var(--soft);padding:4px 0}
    summary:hover{color:var(--ink)}
    details>:not(summary){margin-top:8px}
    .violations{list-style:none;margin:0;padding:0}
    .violations li{border-top:1px solid var(--line);padding:12px 0}
    .violations li:first-child{border-top:0;padding-top:0}
    .violations dl{display:grid;grid-template-columns:auto 1fr;gap:2px 14px;margin:6px 0 0;font-size:.9rem}
    .violations b{color:var(--bad)}
    dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:4px 20px;margin:0 0 14px;font-size:.95rem}
    dl dt{color:var(--soft)}dl dd{margin:0;min-width:0;overflow-wrap:anywhere}
    @media (max-width:640px){main{padding:18px 14px 32px}h1{font-size:1.4rem}.card{padding:14px}\
    .verdict{padding:14px;gap:12px}.figures li{padding:10px 12px;width:calc(50% - 1px);flex-grow:1}\
    .figures b{font-size:1.15rem;white-space:normal;overflow-wrap:anywhere}.plot svg{height:170px}.plot .x span:nth-child(even){display:none}\
    thead th,thead .n{white-space:normal}dl.facts{grid-template-columns:1fr;gap:0}dl.facts dd{margin-bottom:8px}\
    .small{grid-template-columns:1fr 1fr}.violations dl{grid-template-columns:1fr}.violations dd{margin-bottom:4px}\
    .stack thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}\
    .stack tr{display:grid;grid-template-columns:1fr auto;gap:2px 12px;border-top:1px solid var(--line);padding:10px 0}\
    .stack tr:first-child{border-top:0;padding-top:0}.stack tr:last-child{padding-bottom:0}\
    .stack th,.stack td{display:block;padding:0;border:0}.stack td:nth-child(n+3){grid-column:1/-1;text-align:left}\
    .stack td:nth-child(n+4){color:var(--soft);font-size:.84rem;white-space:normal;overflow-wrap:anywhere}}
    @media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#c8cdd3;--bar:#2f62bf;\
    --area:#2f62bf22;--second:#8a4600;--ok:#12703a;--okbg:#fff;--bad:#a81d14;--badbg:#fff;--warn:#7a4d00;--warnbg:#fff;\
    --code:#f2f4f6}body{font-size:11pt}main{max-width:none;padding:0}.card{padding:12px 16px;margin-top:12px}\
    th,td{padding:2px 14px 2px 0}table{font-size:.85rem}\
    .verdict,.figures,.claims,.facts,figure,tr,.violations li{break-inside:avoid}h2,h3,figcaption,summary{break-after:avoid}\
    .run{break-before:page;border-top:0;padding-top:0;margin-top:0}.scroll{overflow:visible}\
    details::details-content{content-visibility:visible;display:block;block-size:auto}summary{list-style:none}\
    *{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
    """

  /// What shapes refer to.
  static let shapes: HTML = """
    <svg class="unseen" width="0" height="0" aria-hidden="true"><defs>
    <pattern id="failed" width="4" height="4" patternUnits="userSpaceOnUse"><rect width="4" height="4" \
    style="fill:var(--card)"/><rect width="4" height="2" style="fill:var(--bad)"/></pattern>
    <pattern id="unknown" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="1" \
    style="fill:var(--soft)"/></pattern></defs></svg>

    """
}
