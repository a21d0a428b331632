using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using FsCheck.Xunit;
using Proxy.Dicom;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Wire;

public class BulkDataPathTests
{
    private const string Instance = "studies/1.2/series/1.3/instances/1.4";

    private readonly BulkTokens _tokens = new();

    [Theory]
    [InlineData("bulk/1")]
    [InlineData("a/b.c/d-e_f~g")]
    [InlineData("bulk/1?x=../y&z=%2F")]
    [InlineData("a...b/..c/...")]
    [InlineData("instances/1.4/metadata;v=1")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData("a%20b")]
    [InlineData("a%2fb")]
    [InlineData("%c3%a9")]
    [InlineData("%E9")]
    [InlineData("a%25")]
    [InlineData("a%252fb")]
    public void AcceptsSegmentsAndEscapes(string rest) => Assert.True(BulkDataPath.IsRest(rest));

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("../x")]
    [InlineData("a/../b")]
    [InlineData("a/./b")]
    [InlineData("a/..")]
    [InlineData("/a")]
    [InlineData("%2e%2e/a")]
    [InlineData("a/%2E%2e/b")]
    [InlineData("a%2f..%2fb")]
    [InlineData("a%2f%2e%2e")]
    [InlineData("a%5c..%5cb")]
    [InlineData("a\\..\\b")]
    [InlineData("a/%00")]
    [InlineData("a/%2500")]
    [InlineData("a b")]
    [InlineData("a#b")]
    [InlineData("a|b")]
    [InlineData("^a")]
    [InlineData("a\r\nHost: evil")]
    [InlineData("a%0d%0aHost:%20evil")]
    [InlineData("é")]
    [InlineData("a/..;/b")]
    [InlineData("..;x=1/b")]
    [InlineData("%2e%2e;/b")]
    [InlineData("%252e%252e/b")]
    [InlineData("?x=1")]
    public void RefusesUnsafeText(string rest) => Assert.False(BulkDataPath.IsRest(rest));

    [Fact]
    public void RefusesTextThatIsTooLong() => Assert.False(BulkDataPath.IsRest(new string('a', BulkDataPath.MaxRestLength + 1)));

    [Theory]
    [InlineData("bulk/1", Instance + "/bulk/1", null, Instance + "/bulk/1")]
    [InlineData("|bulkdata/1", Instance + "/bulkdata/1", "studies/1.2/bulkdata/1", Instance + "/bulkdata/1")]
    [InlineData("^bulk/1?x=2", "bulk/1?x=2", null, Instance + "/^bulk/1?x=2")]
    public void ReadsAPathAndACacheKeyFromALink(string rest, string path, string? other, string key)
    {
        Assert.True(BulkDataPath.TryReadLink($"\uFFFF/{Instance}/bulkdata/east/{rest}", out var place));
        Assert.Equal((path, other, key), (place.Path, place.StudyPath, place.CacheKey));
        Assert.Equal($"/{Instance}/bulkdata/east/{rest}", place.Link);
    }

    [Theory]
    [InlineData("/bulkdata/east/")]
    [InlineData("/bulkdata/east/bulk/1")]
    [InlineData("/" + Instance + "/bulkdata/east/")]
    [InlineData("/" + Instance + "/bulkdata/east")]
    [InlineData("/" + Instance)]
    [InlineData("")]
    public void RefusesALinkThatIsNotFollowed(string link) => Assert.False(BulkDataPath.TryReadLink(link, out _));

    [Property(MaxTest = 200)]
    public bool ReadsASignedLinkBack(int seed)
    {
        var random = new Random(seed);
        var rest = string.Concat(
            Enumerable.Range(0, random.Next(1, BulkDataPath.MaxRestLength)).Select(_ => "aZ09-._~!$'()*+,;:@/?&=%"[random.Next(24)]));
        var (resource, backend, token) = Read(Write($"\uFFFF/{Instance}/bulkdata/east/{rest}"));
        return _tokens.Read(backend, resource, token) is { } item && item == new BulkDataPath("east", Instance, rest);
    }

    [Property(MaxTest = 300)]
    public bool RefusesEveryOtherToken(int seed, string? any)
    {
        var random = new Random(seed);
        var (resource, backend, token) = Read(Write($"\uFFFF/{Instance}/bulkdata/east/bulk/7fe00010"));
        var changed = token.ToCharArray();
        var at = random.Next(changed.Length - 1);
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        return _tokens.Read(backend, resource, new(changed)) is null
            && _tokens.Read(backend, resource, token[..random.Next(token.Length)]) is null
            && _tokens.Read(backend, resource, token + "A") is null
            && _tokens.Read(backend, resource, any ?? "") is null
            && _tokens.Read("west", resource, token) is null
            && _tokens.Read(backend, "studies/1.2/series/1.3", token) is null
            && new BulkTokens().Read(backend, resource, token) is null;
    }

    [Fact]
    public void AcceptsTokensOfEarlierKeys_AndOfOtherProcessesWithTheSameKey()
    {
        var (resource, backend, token) = Read(Write($"\uFFFF/{Instance}/bulkdata/east/bulk/1"));
        var other = new BulkTokens();
        other.Use(_tokens.Key);
        var id = _tokens.KeyId;
        _tokens.Use(RandomNumberGenerator.GetBytes(BulkTokens.KeyBytes));

        Assert.NotNull(_tokens.Read(backend, resource, token));
        Assert.NotNull(other.Read(backend, resource, token));
        Assert.Equal(id, other.KeyId);
        Assert.NotEqual(id, _tokens.KeyId);
    }

    /// <summary>The form of the first version: the links are signed when written, and lead to the same item.</summary>
    [Fact]
    public void SignsLinksOfOlderVersions()
    {
        var (resource, backend, token) = Read(Write("\uFFFF/bulkdata/east/bulk/1?x=2"));

        Assert.Equal("studies/1.2", resource);
        Assert.Equal("bulk/1?x=2", _tokens.Read(backend, resource, token)!.Path);
        Assert.Equal("http://proxy/bulkdata/east/", Write("\uFFFF/bulkdata/east/"));
        Assert.Equal("http://proxy/bulkdata/east/", Write("\uFFFF/bulkdata/east/bulk/1", study: null));
        Assert.Equal($"http://proxy/{Instance}/bulkdata/east/", Write($"\uFFFF/{Instance}/bulkdata/east/"));
        Assert.Equal($"http://proxy/{Instance}", Write($"\uFFFF/{Instance}"));
    }

    private string Write(string link) => Write(link, new StudyPath(Uid.Parse("1.2")));

    private string Write(string link, StudyPath? study)
    {
        var output = new ArrayBufferWriter<byte>();
        DicomJsonWriter.Write(
            output, Encoding.UTF8.GetBytes($"{{\"BulkDataURI\":\"{link}\"}}"), new ClientRoot("http://proxy", _tokens, study));
        var json = Encoding.UTF8.GetString(output.WrittenSpan);
        return json["{\"BulkDataURI\":\"".Length..^2];
    }

    private static (string Resource, string Backend, string Token) Read(string url)
    {
        var parts = url["http://proxy/".Length..].Split("/bulkdata/");
        var slash = parts[1].IndexOf('/', StringComparison.Ordinal);
        return (parts[0], parts[1][..slash], parts[1][(slash + 1)..]);
    }
}
