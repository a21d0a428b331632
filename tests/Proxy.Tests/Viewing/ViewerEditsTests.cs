using System.Text;
using Proxy.Viewing;
using Xunit;

namespace Proxy.Tests.Viewing;

/// <summary>Files that were built for one path work below any other.</summary>
public sealed class ViewerEditsTests
{
    private const string BasePath = """(globalThis.PUBLIC_URL||new URL(".",location.href).pathname)""";

    [Theory]
    [InlineData("""__webpack_require__.p = "/";""", $"__webpack_require__.p={BasePath};")]
    [InlineData("""a();n.p="/",b();""", $"a();n.p={BasePath},b();")]
    [InlineData("""window.browserImportFunction('/x/y.js')""", $"window.browserImportFunction({BasePath}+'x/y.js')")]
    [InlineData("""f("/x");o.data.p="/";point.p = "/";""", """f("/x");o.data.p="/";point.p = "/";""")]
    [InlineData("""n.p = "/a";n.p = "";""", """n.p = "/a";n.p = "";""")]
    public void TakesThePathOfAScript_FromThePageOrTheScript(string built, string edited) =>
        Assert.Equal(edited, Apply("a.js", built, "/"));

    [Theory]
    [InlineData("a.css", "url(/f.woff2) url('/f.png') url(\"/f.png\")", "url(f.woff2) url('f.png') url(\"f.png\")")]
    [InlineData("css/deep/a.css", "url(/f.woff2)", "url(../../f.woff2)")]
    [InlineData("a.css", "url(//example.com/a) url(b.png) url(data:a)", "url(//example.com/a) url(b.png) url(data:a)")]
    [InlineData("manifest.json", """{"src":"/assets/a.png","start":"./b"}""", """{"src":"assets/a.png","start":"./b"}""")]
    [InlineData("data.json", """{"src":"/assets/a.png"}""", """{"src":"/assets/a.png"}""")]
    [InlineData("a.svg", "url(/f.woff2)", "url(/f.woff2)")]
    public void MakesLinksRelative(string name, string built, string edited) => Assert.Equal(edited, Apply(name, built, "/"));

    [Fact]
    public void ReplacesThePathThatTheViewerWasBuiltFor()
    {
        Assert.Equal("url(f.woff2) url(/other/g)", Apply("a.css", "url(/ohif/f.woff2) url(/other/g)", "/ohif/"));
        Assert.Equal($"n.p={BasePath}", Apply("a.js", "n.p=\"/ohif/\"", "/ohif/"));
    }

    private static string Apply(string name, string built, string builtFor)
    {
        var file = new ViewerFile(name, name, ViewerFileType.Find(name)!);
        return string.Concat(
            ViewerEdits.Apply(file, Encoding.UTF8.GetBytes(built), builtFor).Select(piece => Encoding.UTF8.GetString(piece.Span)));
    }
}
