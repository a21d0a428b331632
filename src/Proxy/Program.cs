using Proxy;
using Proxy.Admin;

var builder = WebApplication.CreateBuilder(args);
Settings.AddFiles(builder.Configuration, builder.Environment.ContentRootPath);

var settings = Settings.Read(builder.Configuration, out var errors);
if (errors.Count > 0)
{
    Console.Error.WriteLine("The proxy does not start:\n  " + string.Join("\n  ", errors));
    return 1;
}

builder.AddServer();
builder.Services.AddSettings(settings);
builder.Services.AddSecurity();
builder.Services.AddBackends(builder.Configuration);
builder.Services.AddStore(settings.Cache);
builder.Services.AddDicomWeb();

var app = builder.Build();
app.FollowSettings();
app.UseGuards();

app.MapDicomWeb();
app.MapStore();
app.MapOhif();
app.MapHealth();
app.MapPage();
app.MapReverseProxy();

app.Run();
return 0;
