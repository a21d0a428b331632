namespace Proxy.Tests.Viewing;

/// <summary>A small build with the kinds of files that OHIF has, and with files that are not for clients.</summary>
public sealed class ViewerBuild : IDisposable
{
    public const string App = "app.bundle.0f6159c501addfe9.js", Chunk = "100.bundle.cb02411ce321d4e4.js";

    public const string Html =
        """
        <!doctype html><html><head><meta name="msapplication-TileImage" content="/assets/tile.png"><script>window.PUBLIC_URL="/"</script>
        <link rel="manifest" href="/manifest.json"><link rel=icon href=/assets/favicon.ico><script src="/app-config.js"></script>
        <script>function browserImportFunction(n){return import(n)}window.PUBLIC_URL="/"</script>
        <script defer src="/app.bundle.0f6159c501addfe9.js"></script><link href="/app.bundle.css" rel="stylesheet">
        <link href="//fonts.example/x.css" rel="stylesheet"></head><body><div id="root"></div></body></html>
        """;

    private readonly DirectoryInfo _parent = Directory.CreateTempSubdirectory("proxy-viewer-");

    public ViewerBuild()
    {
        Folder = Path.Combine(_parent.FullName, "dist");
        Write("index.html", Html);
        Write("app-config.js", "window.config = 'of the build';");
        Write(App, "let a;__webpack_require__.p = \"/\";window.browserImportFunction('/microscopy/m.js');//" + new string('a', 4000));
        Write(Chunk, string.Concat(Enumerable.Range(0, 2000).Select(n => $"const a{n} = {n};")));
        Write("app.bundle.css", "@font-face{src:url(/a34f9d1faa5f3315.woff2)}a{background:url(//example.com/x.png)}");
        Write("0ddf166f7a343eda.wasm", "\0asm" + new string('w', 4000));
        Write("a34f9d1faa5f3315.woff2", "wOF2");
        Write("module.mjs", "export default 1;");
        Write("manifest.json", """{"icons":[{"src":"/assets/favicon.ico"}],"start_url":"./index.html"}""");
        Write("assets/favicon.ico", "icon");
        Write(".env", "secret");
        Write(".git/config.json", "secret");
        Write("program.exe", "secret");
        File.WriteAllText(Path.Combine(_parent.FullName, "outside.js"), "secret");
        File.CreateSymbolicLink(Path.Combine(Folder, "link.js"), Path.Combine(_parent.FullName, "outside.js"));
        Directory.CreateSymbolicLink(Path.Combine(Folder, "up"), _parent.FullName);
    }

    public string Folder { get; }

    public void Write(string name, string content)
    {
        var path = Path.Combine(Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
    }

    public void Dispose() => _parent.Delete(recursive: true);
}
