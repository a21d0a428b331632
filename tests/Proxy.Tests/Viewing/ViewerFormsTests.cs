using Proxy.Operations;
using Proxy.Viewing;
using Xunit;

namespace Proxy.Tests.Viewing;

/// <summary>A file is compressed once, for all clients.</summary>
public sealed class ViewerFormsTests : IDisposable
{
    private readonly ViewerBuild _build = new();
    private readonly ViewerForms _forms = new("/");

    public void Dispose() => _build.Dispose();

    [Fact]
    public async Task CompressesAFileOnce()
    {
        var file = Find(ViewerBuild.Chunk);

        var forms = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => _forms.GetAsync(file, Coding.Brotli)));

        Assert.All(forms, form => Assert.Same(forms[0], form));
        Assert.Equal(forms[0].Bytes!.Length, _forms.Bytes);
        File.Delete(file.Path);
        Assert.Same(forms[0], await _forms.GetAsync(file, Coding.Brotli));
    }

    [Theory]
    [InlineData("a34f9d1faa5f3315.woff2")]
    [InlineData("module.mjs")]
    public async Task SendsAFileAsItIs_IfCompressionGainsNothing(string name)
    {
        var form = await _forms.GetAsync(Find(name), Coding.Brotli);

        Assert.Null(form.Bytes);
        Assert.Equal(0, _forms.Bytes);
    }

    [Fact]
    public async Task TriesAgain_WhenAFileCouldNotBeRead()
    {
        var file = Find(ViewerBuild.Chunk) with { Path = Path.Combine(_build.Folder, "later.js") };
        await Assert.ThrowsAsync<FileNotFoundException>(() => _forms.GetAsync(file, Coding.Gzip));

        _build.Write("later.js", new string('a', 5000));

        Assert.NotNull((await _forms.GetAsync(file, Coding.Gzip)).Bytes);
    }

    [Fact]
    public async Task KeepsAnEditedFileInMemory_AlsoForClientsWithoutCoding()
    {
        var form = await _forms.GetAsync(Find(ViewerBuild.App), Coding.Identity);

        Assert.True(form.IsEdited);
        Assert.Equal(Coding.Brotli, form.Coding);
        Assert.True(form.Length > form.Bytes!.Length);
    }

    private ViewerFile Find(string name) => ViewerFolder.Read(_build.Folder).Find(name)!;
}
