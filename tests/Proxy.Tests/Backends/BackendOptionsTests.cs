using Microsoft.Extensions.Configuration;
using Proxy.Backends;
using Proxy.Backends.Credentials;
using Proxy.Operations;
using Xunit;

namespace Proxy.Tests.Backends;

public class BackendOptionsTests
{
    [Fact]
    public void ReadsABackend_WithDefaults()
    {
        var east = Assert.Single(Read(out var errors, "Backends:east:Address=http://pacs:8042/dicom-web/"));
        Assert.Empty(errors);
        Assert.Equal(new BackendOptions("east", new("http://pacs:8042/dicom-web"))
        {
            Preference = 100,
            Timeout = TimeSpan.FromSeconds(30),
            MaxConcurrentRequests = 16,
            Compression = Compression.Identity,
            Credential = null,
            FuzzyMatching = false,
            Forward = false,
        }, east);
    }

    [Fact]
    public void ReadsABackend_WithAllItsSettings()
    {
        var east = Assert.Single(Read(
            out var errors, "Backends:east:Address=https://pacs/dicom-web", "Backends:east:Preference=1", "Backends:east:Timeout=00:01:00",
            "Backends:east:MaxConcurrentRequests=4",
            "Backends:east:Compression=gzip", "Backends:east:Forward=true", "Backends:east:FuzzyMatching=true",
            "Backends:east:Authentication:Scheme=Basic", "Backends:east:Authentication:User=lab",
            "Backends:east:Authentication:Password=pass:wörd"));
        Assert.Empty(errors);
        Assert.Equal(new BackendOptions("east", new("https://pacs/dicom-web"))
        {
            Preference = 1,
            Timeout = TimeSpan.FromMinutes(1),
            MaxConcurrentRequests = 4,
            Compression = Compression.Gzip,
            Credential = new(CredentialScheme.Basic) { User = "lab", Secret = east.Credential!.Secret },
            FuzzyMatching = true,
            Forward = true,
        }, east);
        Assert.True(east.Credential.Secret!.TryRead(out var password, out _));
        Assert.Equal("pass:wörd", password);
    }

    [Theory]
    [InlineData("Bearer", "Token=t0ken", "Authorization", "t0ken")]
    [InlineData("Header", "Name=X-Api-Key", "X-Api-Key", "k3y")]
    public void ReadsTheOtherCredentials(string scheme, string setting, string header, string value)
    {
        var east = Assert.Single(Read(
            out var errors, "Backends:east:Address=http://pacs", "Backends:east:Authentication:Scheme=" + scheme,
            "Backends:east:Authentication:" + setting, "Backends:east:Authentication:Value=k3y"));
        Assert.Empty(errors);
        Assert.Equal(header, east.Credential!.Header);
        Assert.True(east.Credential.Secret!.TryRead(out var secret, out _));
        Assert.Equal(value, secret);
    }

    [Fact]
    public void TakesTheFirstDestinationAsTheAddress()
    {
        var east = Assert.Single(Read(
            out var errors, "Backends:east:Destinations:a:Address=http://a/dicom-web",
            "Backends:east:Destinations:b:Address=http://b/dicom-web"));
        Assert.Empty(errors);
        Assert.Equal(new Uri("http://a/dicom-web"), east.Address);
    }

    [Fact]
    public void ShowsAnExample_WhenNoBackendIsConfigured()
    {
        Assert.Empty(Read(out var errors));
        Assert.Contains(
            "\"Backends\": { \"east\": { \"Address\": \"http://127.0.0.1:8042/dicom-web\" } }", Assert.Single(errors),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Backends:ea st:Address=http://pacs", "Backends:ea st")]
    [InlineData("Backends:east:Address=", "Backends:east:Address = (not set)")]
    [InlineData("Backends:east:Address=pacs:8042", "Backends:east:Address = \"pacs:8042\"")]
    [InlineData("Backends:east:Address=ftp://pacs", "Backends:east:Address = \"ftp://pacs\"")]
    [InlineData("Backends:east:Address=http://pacs?x=1", "Backends:east:Address = \"http://pacs?x=1\"")]
    [InlineData("Backends:east:Preference=-1", "Backends:east:Preference = \"-1\": a whole number from 0")]
    [InlineData("Backends:east:Timeout=0", "Backends:east:Timeout = \"0\": a duration hh:mm:ss from 00:00:00.1000000 to 01:00:00")]
    [InlineData("Backends:east:Timeout=30", "Backends:east:Timeout = \"30\": a duration")]
    [InlineData("Backends:east:MaxConcurrentRequests=0", "Backends:east:MaxConcurrentRequests = \"0\": a whole number from 1 to 1024")]
    [InlineData("Backends:east:Compression=Brotli", "Backends:east:Compression = \"Brotli\": one of Identity, Gzip")]
    [InlineData("Backends:east:Compression=1", "Backends:east:Compression = \"1\": one of Identity, Gzip")]
    [InlineData("Backends:east:MaxForwardedBytes=0", "Backends:east:MaxForwardedBytes = \"0\": a whole number from 1")]
    [InlineData("Backends:east:Forward=yes", "Backends:east:Forward = \"yes\": true or false")]
    [InlineData(
        "Backends:east:Authentication:Scheme=Digest",
        "Backends:east:Authentication:Scheme = \"Digest\": one of None, Basic, Bearer, Header, OAuth2, ClientCertificate, Forward")]
    [InlineData("Backends:east:Authentication:Scheme=Bearer", "Backends:east:Authentication:Token = (not set)")]
    [InlineData("Backends:east:Authentication:Scheme=OAuth2", "Backends:east:Authentication:ClientSecret = (not set): required")]
    [InlineData("Backends:east:Authentication:Scheme=OAuth2", "Backends:east:Authentication:TokenUrl = (not set): an https URL")]
    [InlineData("Backends:east:Authentication:Scheme=OAuth2", "Backends:east:Authentication:ClientId = (not set): required")]
    [InlineData(
        "Backends:east:Authentication:Scheme=ClientCertificate",
        "Backends:east:Authentication:Certificate = (not set): the path of a PEM file")]
    [InlineData(
        "Backends:east:Tls:CaFile=missing.pem",
        "Backends:east:Tls:CaFile = \"missing.pem\": the path of a PEM file with certificates of authorities")]
    [InlineData("Backends:east:Timout=00:00:05", "Backends:east:Timout = \"00:00:05\": not a setting; allowed are Address")]
    [InlineData(
        "Backends:east:Destinations:a:Address=http://a",
        "Backends:east:Address = \"http://pacs\": either Address or Destinations, not both")]
    public void NamesTheKeyTheValueAndTheAllowedValues_WhenASettingIsWrong(string setting, string error)
    {
        Read(out var errors, "Backends:east:Address=http://pacs", setting);
        Assert.Contains(errors, e => e.StartsWith(error, StringComparison.Ordinal));
        Assert.All(errors, e => Assert.Contains(": ", e, StringComparison.Ordinal));
    }

    [Fact]
    public void ReportsAllErrorsTogether()
    {
        Read(
            out var errors, "Backends:east:Address=nowhere", "Backends:east:Timeout=soon", "Backends:west:Preference=first",
            "Backends:west:Colour=blue");
        Assert.Equal(
            ["Backends:east:Address", "Backends:east:Timeout", "Backends:west:Address", "Backends:west:Colour", "Backends:west:Preference"],
            errors.Select(e => e.Split(" = ")[0]).Order());
    }

    [Theory]
    [InlineData("Backends:east:Authentication:Pasword=s3cret")]
    [InlineData("Backends:east:Authentication:Scheme=Basic", "Backends:east:Authentication:Password=s3cret\n")]
    [InlineData("Backends:east:Authentication:Scheme=Bearer", "Backends:east:Authentication:Token=s3cret\u0001")]
    [InlineData(
        "Backends:east:Authentication:Scheme=Header", "Backends:east:Authentication:Name=X Key",
        "Backends:east:Authentication:Value=s3cret")]
    [InlineData("Backends:east:Authentication:Scheme=OAuth2", "Backends:east:Authentication:ClientSecret=s3cret")]
    [InlineData("Backends:east:Authentication:Scheme=OAuth2", "Backends:east:Authentication:TokenUrl=https://id:s3cret@idp/token")]
    [InlineData(
        "Backends:east:Authentication:Scheme=Bearer", "Backends:east:Authentication:Token=s3cret",
        "Backends:east:Authentication:TokenFile=/s3cret")]
    [InlineData(
        "Backends:east:Authentication:Scheme=ClientCertificate", "Backends:east:Authentication:Certificate=missing.pem",
        "Backends:east:Authentication:KeyPassword=s3cret")]
    [InlineData("Backends:east:Password=s3cret")]
    [InlineData("Backends:east:AccessToken=s3cret")]
    [InlineData("Backends:east:Address=http://lab:s3cret@pacs/dicom-web")]
    [InlineData("Backends:east:Destinations:a:Address=http://lab:s3cret@pacs/dicom-web")]
    [InlineData("Backends:east:Destinations:a:Address=http://a", "Backends:east:Address=http://lab:s3cret@pacs/dicom-web")]
    public void HidesCredentialsInErrors(params string[] settings)
    {
        Read(out var errors, ["Backends:east:Address=http://pacs", .. settings]);
        Assert.NotEmpty(errors);
        Assert.DoesNotContain(errors, e => e.Contains("s3cret", StringComparison.Ordinal));
    }

    [Fact]
    public void HidesTheSecretInToString()
    {
        var east = Assert.Single(Read(
            out _, "Backends:east:Address=http://pacs", "Backends:east:Authentication:Scheme=Bearer",
            "Backends:east:Authentication:Token=s3cret"));
        Assert.DoesNotContain("s3cret", east.ToString(), StringComparison.Ordinal);
        Assert.Contains("Authorization", east.ToString(), StringComparison.Ordinal);
    }

    private static IReadOnlyList<BackendOptions> Read(out IReadOnlyList<string> errors, params string[] settings)
    {
        // Of two settings with one key the last wins, as on the command line.
        var reader = new SettingsReader(new ConfigurationBuilder().AddInMemoryCollection(
            settings.Select(s => s.Split('=', 2)).GroupBy(s => s[0]).ToDictionary(s => s.Key, string? (s) => s.Last()[1])).Build());
        var backends = BackendOptions.ReadAll(reader);
        errors = reader.Errors;
        return backends;
    }
}
